// SPDX-License-Identifier: Apache-2.0
#include "platform/report/html_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

#include "models/isa/instruction.h"
#include "platform/metrics/figures.h"
#include "platform/report/run_files.h"
#include "platform/support/input_error.h"
#include "platform/support/input_file.h"
#include "platform/support/printable.h"
#include "platform/support/resources.h"
#include "platform/support/seal.h"
#include "platform/support/sha256.h"

namespace bvp {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

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

/// The windows of power.csv, by column. If there are more than a page can show, neighbours are merged, with the mean of
/// their figures.
class Windows {
 public:
  explicit Windows(std::vector<std::string> names) : names_(std::move(names)), columns_(names_.size()) {
    begin_ = static_cast<std::size_t>(std::find(names_.begin(), names_.end(), "begin_s") - names_.begin());
    end_ = static_cast<std::size_t>(std::find(names_.begin(), names_.end(), "end_s") - names_.begin());
  }

  void add(const std::vector<double>& values) {
    for (std::size_t i = 0; i < names_.size(); ++i) columns_[i].push_back(values[i]);
    constexpr std::size_t most = 4096;
    if (columns_[begin_].size() == most) halve();
  }

  [[nodiscard]] bool empty() const { return columns_[begin_].empty(); }
  [[nodiscard]] Json json() const {
    Json columns = Json::object();
    for (std::size_t i = 0; i < names_.size(); ++i) columns[names_[i]] = columns_[i];
    return columns;
  }

 private:
  void halve() {
    const std::vector<double> begins = columns_[begin_], ends = columns_[end_];
    for (std::size_t column = 0; column < names_.size(); ++column) {
      std::vector<double>& values = columns_[column];
      for (std::size_t i = 0; i < begins.size() / 2; ++i) {
        const std::size_t a = 2 * i, b = a + 1;
        const double first = ends[a] - begins[a], second = ends[b] - begins[b];
        if (column == begin_) {
          values[i] = begins[a];
        } else if (column == end_) {
          values[i] = ends[b];
        } else {
          values[i] = (values[a] * first + values[b] * second) / (first + second);
        }
      }
      values.resize(begins.size() / 2);
    }
  }

  std::vector<std::string> names_;
  std::vector<std::vector<double>> columns_;
  std::size_t begin_ = 0, end_ = 0;
};

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> result;
  std::istringstream words(line);
  for (std::string word; std::getline(words, word, ',');) result.push_back(word);
  return result;
}

/// The columns by name; null if the file does not exist. All of `needed` and at least one line of figures must be
/// there.
Json read_columns(const fs::path& file, const std::vector<std::string>& needed) {
  constexpr std::uintmax_t file_limit = std::uintmax_t{256} << 20;
  constexpr std::size_t most_columns = 200;
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(file, ignored))) return nullptr;
  std::istringstream stream(read_input_file(file, file_limit));
  std::string line;
  std::getline(stream, line);
  const std::vector<std::string> names = cells_of(line);
  if (names.size() > most_columns || std::set<std::string>(names.begin(), names.end()).size() != names.size()) {
    throw InputError(fmt::format("{}:1: found {} columns, or two of one name; expected the power of a run",
                                 file.string(), names.size()));
  }
  for (const std::string& name : needed) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    throw InputError(
        fmt::format("{}:1: no column '{}'; expected the power of a run of this version", file.string(), name));
  }
  Windows windows(names);
  double before_s = 0;
  const auto begin = static_cast<std::size_t>(std::find(names.begin(), names.end(), "begin_s") - names.begin());
  const auto end = static_cast<std::size_t>(std::find(names.begin(), names.end(), "end_s") - names.begin());
  for (int number = 2; std::getline(stream, line); ++number) {
    const std::vector<std::string> cells = cells_of(line);
    const auto refuse = [&](const std::string& what) {
      throw InputError(fmt::format("{}:{}: found {}", file.string(), number, what));
    };
    if (cells.size() != names.size()) refuse(fmt::format("{} cells, expected {}", cells.size(), names.size()));
    std::vector<double> values;
    for (const std::string& cell : cells) {
      double value = 0;
      const auto [rest, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
      if (error != std::errc() || rest != cell.data() + cell.size() || !std::isfinite(value)) {
        refuse(fmt::format("'{}', expected a number", printable(cell)));
      }
      values.push_back(value);
    }
    if (values[begin] < before_s || values[end] <= values[begin]) {
      refuse(fmt::format("a window from {} to {} s, expected one that is not empty and follows the one before",
                         values[begin], values[end]));
    }
    before_s = values[begin];
    windows.add(values);
  }
  if (windows.empty()) throw InputError(fmt::format("{}: no line of figures", file.string()));
  return windows.json();
}

/// The columns of power.csv that the page draws, besides one for each component.
std::vector<std::string> power_columns() {
  std::vector<std::string> names{"begin_s", "end_s", "total_w", "dram_read_bytes_per_s", "dram_written_bytes_per_s"};
  for (const char* unit : unit_names) names.push_back(fmt::format("{}_utilisation", unit));
  return names;
}

/// The parts of a directory's path, without "." and a trailing "/".
std::vector<std::string> parts_of(const fs::path& directory) {
  std::vector<std::string> parts;
  std::error_code ignored;
  for (const fs::path& part : fs::absolute(directory, ignored).lexically_normal()) {
    if (!part.empty()) parts.push_back(part.string());
  }
  return parts;
}

/// The last parts of the paths: as many as are needed to tell the runs apart. A run that occurs twice gets a number.
std::vector<std::string> names_of(const std::vector<fs::path>& directories) {
  std::vector<std::vector<std::string>> parts;
  std::size_t most = 1;
  for (const fs::path& directory : directories) {
    parts.push_back(parts_of(directory));
    most = std::max(most, parts.back().size());
  }
  std::vector<std::string> names;
  for (std::size_t count = 1; count <= most; ++count) {
    names.clear();
    for (const std::vector<std::string>& path : parts) {
      const std::size_t taken = std::min(count, path.size());
      names.push_back(fmt::format("{}", fmt::join(path.end() - static_cast<std::ptrdiff_t>(taken), path.end(), "/")));
    }
    if (std::set<std::string>(names.begin(), names.end()).size() == names.size()) return names;
  }
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = fmt::format("{} ({})", parts[i].back(), i + 1);
  return names;
}

Json read_run(const fs::path& directory, const std::string& name) {
  RunFiles files = read_run_files(directory);
  return {{"directory", name},
          {"summary", std::move(files.summary)},
          {"network", std::move(files.network)},
          {"parameters", std::move(files.parameters)},
          {"prices", read_prices(directory)},
          {"power", read_columns(directory / "power.csv", power_columns())}};
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
std::string json_in_page(const Json& json) {
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
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

std::string html_report(const std::vector<fs::path>& directories) {
  Json runs = Json::array();
  const std::vector<std::string> names = names_of(directories);
  for (std::size_t i = 0; i < directories.size(); ++i) runs.push_back(read_run(directories[i], names[i]));
  std::string page = part_of_page("report.html");
  replace(page, "/*STYLE*/", part_of_page("report.css"));
  replace(page, "/*SCRIPT*/", part_of_page("report.js"));
  replace(page, "/*LIBRARY*/", script_in_page(chart_library()));
  Json headlines = Json::array();
  for (const Figure& figure : figures()) {
    if (figure.shown != Figure::Shown::headline) continue;
    headlines.push_back({{"key", figure.key}, {"label", figure.label}, {"unit", figure.unit}});
  }
  replace(page, "/*FIGURES*/", json_in_page(headlines));
  replace(page, "/*DATA*/", json_in_page(runs));
  replace(page, "/*POLICY*/", script_policy(page));
  replace(page, "/*SEAL*/", seal_blank(Sealed::report));
  return sealed(std::move(page), Sealed::report);
}

}  // namespace bvp
