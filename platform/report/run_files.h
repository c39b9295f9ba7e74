// SPDX-License-Identifier: Apache-2.0
// Reads the directory of a run, which may come from a stranger.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "platform/support/output_file.h"

namespace bvp {

/// @throws InputError  it is not a directory, or it has no summary.json
void check_run_directory(const std::filesystem::path& directory);

struct RunFiles {
  nlohmann::json summary, network, parameters;
};

/// Reads summary.json, network.json and parameters.json; checks that they have all keys that this version writes, with
/// values of the right kinds.
/// @throws InputError  with file and key
[[nodiscard]] RunFiles read_run_files(const std::filesystem::path& directory);

/// Reads and checks prices.json in the same way. @throws InputError  with file and key
[[nodiscard]] nlohmann::json read_prices(const std::filesystem::path& directory);

/// The files that are read from a run's directory.
[[nodiscard]] InputFiles files_of_run(const std::filesystem::path& directory);

}  // namespace bvp
