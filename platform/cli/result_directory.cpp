// SPDX-License-Identifier: Apache-2.0
#include "platform/cli/result_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "platform/scenario/input_error.h"

namespace bvp {

namespace {

namespace fs = std::filesystem;

bool same_file(const fs::path& a, const fs::path& b) {
  std::error_code ignored;
  return fs::equivalent(a, b, ignored);
}

}  // namespace

ResultDirectory::ResultDirectory(fs::path directory, const Scenario& scenario, const std::string& scenario_file)
    : directory_(std::move(directory)) {
  const RecordParameters& record = scenario.record;
  files_ = {{"summary.json", true},
            {"report.html", false},
            {"network.json", true},
            {"parameters.json", true},
            {"prices.json", true},
            {"statistics.json", record.statistics},
            {"statistics.csv", record.statistics},
            {"power.csv", record.power_window_s > 0},
            {"trace.json", record.trace},
            {"signals.vcd", record.vcd},
            {"tensors.safetensors", record.tensors},
            {"weights.safetensors", record.tensors},
            {"tokens.safetensors", record.tensors && scenario.network.vocabulary > 0}};
  inputs_ = {{"the scenario", scenario_file},
             {"run.weights", scenario.run.weights.get()},
             {"run.input", scenario.run.input.get()},
             {"run.firmware", scenario.run.firmware.get()},
             {"energy.profile", scenario.energy.profile.get()}};
}

void ResultDirectory::check_inputs_stay(const std::vector<fs::path>& more) const {
  std::vector<fs::path> written = more;
  written.push_back(directory_ / "uart.log");
  for (const File& file : files_) {
    if (file.written) written.push_back(directory_ / file.name);
  }
  for (const auto& [key, input] : inputs_) {
    for (const fs::path& file : written) {
      if (!same_file(input, file)) continue;
      throw InputError(fmt::format("{}: this run reads '{}' and would overwrite it; expected another file or --out",
                                   key, file.string()));
    }
  }
}

void ResultDirectory::make() const {
  std::error_code error;
  fs::create_directories(directory_, error);
  if (error || !fs::is_directory(directory_)) {
    throw InputError(fmt::format("{}: the directory for the results cannot be made: {}", directory_.string(),
                                 error ? error.message() : "it is not a directory"));
  }
}

void ResultDirectory::remove_old_results() const {
  for (const File& result : files_) {
    const fs::path file = directory_ / result.name;
    const bool read =
        std::any_of(inputs_.begin(), inputs_.end(), [&](const auto& input) { return same_file(input.second, file); });
    std::error_code ignored;
    if (!read) fs::remove(file, ignored);
  }
}

}  // namespace bvp
