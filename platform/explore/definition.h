// SPDX-License-Identifier: Apache-2.0
// What a sweep is to look at, as its user has written it: a scenario, axes, constraints, objectives, sampling.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/base/types.h"
#include "platform/explore/expression.h"
#include "platform/scenario/scenario.h"

namespace bvp {

/// The key of an axis whose values are scenarios.
inline constexpr const char* scenario_axis_key = "scenario";

/// What varies: one key or several that vary together. An axis has positions, or a range of which any value may be
/// taken.
struct Axis {
  struct Range {
    double from = 0, to = 0;
    bool logarithmic = false;
  };
  std::vector<std::string> keys;                    ///< of the scenario ("soc.array.lanes"), or scenario_axis_key
  std::vector<std::vector<std::string>> positions;  ///< each has one value, as text, for each key
  std::optional<Range> range;                       ///< for one key that is a number; there are no positions then
  std::string place;                                ///< for messages: "FILE:LINE:COLUMN" or the argument
  /// Every design runs all its positions, and objectives are geometric means over them.
  bool workload = false;

  [[nodiscard]] std::string name() const;
};

struct Objective {
  Expression expression;
  bool minimise = true;
};

struct Sampling {
  enum class Method { grid, random, latin_hypercube, sobol, nsga2, gaco };
  Method method = Method::grid;
  u64 points = 0;  ///< of every method but grid; 0: as many as a search finds in its time
  u64 seed = 1;
  // Of a search:
  u64 population = 0;  ///< designs of a generation
  double minutes = 0;  ///< 0: no limit of time
};

[[nodiscard]] const std::vector<std::string>& sampling_methods();

struct SweepDefinition {
  std::string name;
  std::string base;  ///< scenario, as its user names it
  std::vector<Override> sets;
  std::vector<Axis> axes;
  std::vector<Expression> constraints;
  std::vector<Objective> objectives;
  Sampling sampling;
  /// The files of the scenarios, by the names in `base` and on axes. They depend on where the platform is installed.
  std::map<std::string, std::string> files;
};

/// What the command line says of a sweep.
struct SweepArguments {
  std::string file;               ///< of a scenario or of a sweep
  std::vector<std::string> axes;  ///< "soc.dma.outstanding=4,8,16"
  std::vector<Override> sets;
  std::vector<std::string> constraints, minimise, maximise;
  std::optional<std::string> method;
  std::optional<u64> points, seed, population;
  std::optional<double> minutes;
  /// Finds the file of a scenario that the user names.
  std::function<std::string(const std::string&)> find_scenario;
};

/// Reads a sweep and checks each key, each value by itself, each formula and the number of points.
/// @throws InputError  naming every mistake, one a line, with its place
[[nodiscard]] SweepDefinition read_sweep(const SweepArguments& arguments, const ScenarioOptions& options);

/// Whether the file has the keys of a sweep and not those of a scenario; false if it cannot be read.
[[nodiscard]] bool is_sweep_file(const std::string& file);

/// Most points of a sweep.
inline constexpr u64 most_points = 1'000'000;

/// The definition as it is kept beside the results: equal texts mean the same points in the same order.
[[nodiscard]] nlohmann::ordered_json definition_json(const SweepDefinition& definition);

/// JSON Schema (draft 7) of the file of a sweep.
[[nodiscard]] nlohmann::ordered_json sweep_schema();

/// The parameter that a key names; null for a key that names none, such as soc.preset.
[[nodiscard]] ParamBase* find_parameter(const ParameterGroup& root, const std::string& key);

}  // namespace bvp
