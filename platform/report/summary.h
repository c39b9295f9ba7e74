// SPDX-License-Identifier: Apache-2.0
// Writes the results of a run: summary.json and the other files.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "platform/metrics/run_result.h"
#include "platform/network/network.h"
#include "platform/report/provenance.h"

namespace bvp {

/// Keys are stable, and names of keys include the unit. Everything that depends on the host, the command and the time
/// of day is in `host_run`; all other values are the same for the same inputs and the same build.
nlohmann::ordered_json summary_json(const RunResult& result, const Provenance& provenance = {});

/// Writes summary.json, network.json, parameters.json (what is given), statistics.json and statistics.csv (unless
/// empty), power.csv (if recorded), predictions.csv (of a dataset) and, where tensors were kept, tensors.safetensors
/// and weights.safetensors into the directory, which is made if need be. summary.json has the hashes of all files in
/// the directory, and is sealed.
/// @throws std::runtime_error  a file cannot be written
void write_run(const std::filesystem::path& directory, const RunResult& result, const Network& network,
               const nlohmann::ordered_json& parameters, Provenance provenance = {});

}  // namespace bvp
