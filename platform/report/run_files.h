// SPDX-License-Identifier: Apache-2.0
// The directory of a run, read: it may come from a stranger.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "platform/support/output_file.h"

namespace bvp {

/// @throws InputError  it is not a directory, or one without summary.json
void check_run_directory(const std::filesystem::path& directory);

struct RunFiles {
  nlohmann::json summary, network, parameters;
};

/// summary.json, network.json and parameters.json, with all keys that this version writes, and values of their kinds.
/// @throws InputError  naming file and key
[[nodiscard]] RunFiles read_run_files(const std::filesystem::path& directory);

/// prices.json, likewise. @throws InputError  likewise
[[nodiscard]] nlohmann::json read_prices(const std::filesystem::path& directory);

/// What is read of a run's directory.
[[nodiscard]] InputFiles files_of_run(const std::filesystem::path& directory);

}  // namespace bvp
