// SPDX-License-Identifier: Apache-2.0
#include "platform/report/html_page.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string_view>

#include "platform/support/input_error.h"
#include "platform/support/resources.h"
#include "platform/support/seal.h"
#include "platform/support/sha256.h"

namespace bvp {

namespace {

namespace fs = std::filesystem;

std::optional<std::string> read_text(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return std::nullopt;
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

std::string part_of_page(const char* name) {
  const auto file = find_resource(fs::path("platform/report/html") / name);
  const auto text = file ? read_text(*file) : std::nullopt;
  if (!text) throw InputError(fmt::format("the report's {} was not found beside the executable", name));
  return *text;
}

std::string chart_library() {
  const auto file = find_resource("html/node_modules/echarts/dist/echarts.min.js");
  const auto text = file ? read_text(*file) : std::nullopt;
  if (!text) throw InputError("the library that the report draws with (ECharts) is not installed: run scripts/setup");
  return *text;
}

void replace(std::string& page, const std::string& mark, const std::string& text) {
  const std::size_t at = page.find(mark);
  if (at == std::string::npos) throw std::logic_error("the report's page has no " + mark);
  page.replace(at, mark.size(), text);
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

/// A script that may stand inside a script element: it must not contain "<!--" in a string.
std::string script_in_page(std::string text) {
  replace_all(text, "</", "<\\/");
  return text;
}

/// JSON that may stand inside a script element: nothing in it begins a tag or a comment.
std::string json_in_page(const nlohmann::json& json) {
  std::string text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  replace_all(text, "<", "\\u003c");
  return text;
}

/// The name by which a Content-Security-Policy allows a script: its hash.
std::string script_hash(const std::string& script) {
  const std::string hex = sha256_of(script);
  std::vector<unsigned> bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<unsigned>(std::stoul(hex.substr(i, 2), nullptr, 16)));
  }
  static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t k) { return k < bytes.size() ? bytes[k] : 0U; };
    const unsigned group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (unsigned k = 0; k < 4; ++k) text += i + k > bytes.size() ? '=' : digits[group >> (18 - 6 * k) & 63];
  }
  return "'sha256-" + text + "'";
}

/// Only the scripts of the page may run, whatever its data are.
std::string script_policy(const std::string& page) {
  static constexpr std::string_view begin = "<script>", end = "</script>";
  std::string policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src";
  for (std::size_t at = 0; (at = page.find(begin, at)) != std::string::npos;) {
    at += begin.size();
    const std::size_t after = page.find(end, at);
    policy += " " + script_hash(page.substr(at, after - at));
    at = after;
  }
  return policy;
}

}  // namespace

std::string html_page(const std::string& name, const std::vector<std::pair<std::string, nlohmann::json>>& data) {
  std::string page = part_of_page((name + ".html").c_str());
  replace(page, "/*STYLE*/", part_of_page("report.css"));
  replace(page, "/*SCRIPT*/", part_of_page("common.js") + part_of_page((name + ".js").c_str()));
  replace(page, "/*LIBRARY*/", script_in_page(chart_library()));
  for (const auto& [mark, value] : data) replace(page, "/*" + mark + "*/", json_in_page(value));
  replace(page, "/*POLICY*/", script_policy(page));
  replace(page, "/*SEAL*/", seal_blank(Sealed::report));
  return sealed(std::move(page), Sealed::report);
}

}  // namespace bvp
