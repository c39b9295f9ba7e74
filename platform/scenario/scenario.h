// SPDX-License-Identifier: Apache-2.0
// A scenario: all settings of a run, as declared parameters.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/base/parameters.h"
#include "models/faults/fault.h"
#include "platform/baselines/baseline_parameters.h"
#include "platform/compiler/compiler_parameters.h"
#include "platform/config/given_keys.h"
#include "platform/network/network.h"
#include "platform/scenario/scenario_parameters.h"
#include "platform/soc/soc_parameters.h"
#include "platform/support/input_error.h"

namespace bvp {

/// A file that a scenario was read from.
struct SourceFile {
  std::filesystem::path path;
  std::string sha256;
};

/// The root of the tree of parameters. The reader makes paths in `run` absolute or relative to the working directory.
struct Scenario : ParameterGroup {
  Scenario();

  Param<std::string> name;
  SocParameters soc;
  NetworkParameters network_parameters;
  std::vector<std::unique_ptr<LayerParameters>> layers;  ///< one for each layer: the reader resolves `repeat`
  CompilerParameters compiler;
  RunParameters run;
  EnergyParameters energy;
  VerifyParameters verify;
  RecordParameters record;
  BaselineParameters baselines;
  std::vector<std::unique_ptr<FaultParameters>> faults;

  /// The network as values; set by the reader.
  Network network;
  /// The scenario's file and those of its presets.
  std::vector<SourceFile> sources;
  GivenKeys given;
  ParameterOrigins origins;  ///< origin of the values that the memory standard gives
};

/// One `--set KEY=VALUE`, or another option that stands for one.
struct Override {
  std::string key, value;
  std::string label = {};  ///< what to call it in messages; empty: "--set KEY=VALUE"
};

/// The directories in which `preset: NAME` is looked for, as DIRECTORY/soc/NAME.yaml and DIRECTORY/networks/NAME.yaml;
/// the first match counts. The scenario's own directory and its parent come before these.
struct ScenarioOptions {
  std::vector<Override> overrides;
  std::vector<std::filesystem::path> directories;
};

/// Formats "WHERE: KEY: WHAT" as the reader does: WHERE is the place of the key's value, or else the scenario's file.
std::string about_key(const Scenario& scenario, const std::string& key, const std::string& what);

/// Splits "soc.array.lanes=8". @throws InputError
Override parse_override(const std::string& text);

/// The scenario's file, as its user named it.
std::string file_of(const Scenario& scenario);

/// @param file  a pipe or a device is read too, once
/// @throws InputError  naming every mistake in the file, its presets and the overrides, one a line
std::unique_ptr<Scenario> read_scenario(const std::filesystem::path& file, const ScenarioOptions& options = {});

/// Reads a scenario from text; `origin` stands for the file's name in messages, and for its directory.
std::unique_ptr<Scenario> read_scenario_text(const std::string& text, const std::filesystem::path& origin,
                                             const ScenarioOptions& options = {});

}  // namespace bvp
