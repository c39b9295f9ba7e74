// SPDX-License-Identifier: Apache-2.0
#include "platform/report/html_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string_view>

#include "models/isa/instruction.h"
#include "platform/scenario/input_error.h"
#include "platform/scenario/resources.h"

namespace bvp {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

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

Json read_json(const fs::path& file) {
  const auto text = read_text(file);
  if (!text) throw InputError(fmt::format("{}: cannot be read; expected the directory of a run", file.string()));
  try {
    return Json::parse(*text);
  } catch (const Json::exception& error) {
    throw InputError(fmt::format("{}: {}", file.string(), error.what()));
  }
}

/// Columns by name; null if there is no such file. All of `needed` must be there, and a line of figures.
Json read_columns(const fs::path& file, const std::vector<std::string>& needed) {
  std::ifstream stream(file);
  std::string line;
  if (!stream) return nullptr;
  std::getline(stream, line);
  const auto cells = [](const std::string& text) {
    std::vector<std::string> result;
    std::istringstream words(text);
    for (std::string word; std::getline(words, word, ',');) result.push_back(word);
    return result;
  };
  const std::vector<std::string> names = cells(line);
  for (const std::string& name : needed) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    throw InputError(
        fmt::format("{}:1: no column '{}'; expected the power of a run of this version", file.string(), name));
  }
  Json columns = Json::object();
  for (const std::string& name : names) columns[name] = Json::array();
  for (int number = 2; std::getline(stream, line); ++number) {
    const std::vector<std::string> values = cells(line);
    if (values.size() != names.size()) {
      throw InputError(
          fmt::format("{}:{}: found {} cells, expected {}", file.string(), number, values.size(), names.size()));
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      try {
        columns[names[i]].push_back(std::stod(values[i]));
      } catch (const std::exception&) {
        throw InputError(fmt::format("{}:{}: found '{}', expected a number", file.string(), number, values[i]));
      }
    }
  }
  if (columns[needed.front()].empty()) throw InputError(fmt::format("{}: no line of figures", file.string()));
  return columns;
}

/// What the page draws of power.csv, besides a column for each component.
std::vector<std::string> power_columns() {
  std::vector<std::string> names{"begin_s", "end_s", "total_w", "dram_read_bytes_per_s", "dram_written_bytes_per_s"};
  for (const char* unit : unit_names) names.push_back(fmt::format("{}_utilisation", unit));
  return names;
}

Json read_run(const fs::path& directory) {
  Json run;
  run["directory"] = directory.filename().empty() ? directory.parent_path().filename() : directory.filename();
  run["summary"] = read_json(directory / "summary.json");
  for (const char* key : {"scenario", "cycles", "time_s", "energy_j", "energy_by_action_j", "area_mm2", "inferences",
                          "layers", "outside_of_layers", "kernels", "unit_cycles", "utilisation_kernels", "plan"}) {
    if (!run["summary"].contains(key)) {
      throw InputError(fmt::format("{}: no '{}'; expected the summary of a run of this version",
                                   (directory / "summary.json").string(), key));
    }
  }
  run["network"] = read_json(directory / "network.json");
  run["parameters"] = read_json(directory / "parameters.json");
  run["prices"] = read_json(directory / "prices.json");
  run["power"] = read_columns(directory / "power.csv", power_columns());
  return run;
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

/// A script that may stand within a script element. It must not say "<!--" in a string.
std::string script_in_page(std::string text) {
  replace_all(text, "</", "<\\/");
  return text;
}

/// JSON that may stand within a script element: nothing in it begins a tag or a comment.
std::string json_in_page(const Json& json) {
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  replace_all(text, "<", "\\u003c");
  return text;
}

}  // namespace

std::string html_report(const std::vector<fs::path>& directories) {
  Json runs = Json::array();
  for (const fs::path& directory : directories) runs.push_back(read_run(directory));
  std::string page = part_of_page("report.html");
  replace(page, "/*STYLE*/", part_of_page("report.css"));
  replace(page, "/*SCRIPT*/", part_of_page("report.js"));
  replace(page, "/*LIBRARY*/", script_in_page(chart_library()));
  replace(page, "/*DATA*/", json_in_page(runs));
  return page;
}

}  // namespace bvp
