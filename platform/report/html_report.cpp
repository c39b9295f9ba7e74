// SPDX-License-Identifier: Apache-2.0
#include "platform/report/html_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

#include "models/isa/instruction.h"
#include "platform/metrics/figures.h"
#include "platform/report/html_page.h"
#include "platform/report/run_files.h"
#include "platform/support/input_error.h"
#include "platform/support/input_file.h"
#include "platform/support/printable.h"

namespace bvp {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

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

}  // namespace

std::string html_report(const std::vector<fs::path>& directories) {
  Json runs = Json::array();
  const std::vector<std::string> names = names_of(directories);
  for (std::size_t i = 0; i < directories.size(); ++i) runs.push_back(read_run(directories[i], names[i]));
  Json headlines = Json::array();
  for (const Figure& figure : figures()) {
    if (figure.shown != Figure::Shown::headline) continue;
    headlines.push_back({{"key", figure.key}, {"label", figure.label}, {"unit", figure.unit}});
  }
  return html_page("report", {{"FIGURES", headlines}, {"DATA", runs}});
}

}  // namespace bvp
