// SPDX-License-Identifier: Apache-2.0
// What is done with a point before it runs: constraints, reading of its scenario, and the key of its content.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "platform/explore/content_key.h"
#include "platform/explore/definition.h"
#include "platform/explore/point_source.h"

namespace bvp {

struct PreparedPoint {
  enum class State {
    ready,
    excluded,  ///< a constraint does not hold
    refused,   ///< no scenario: the values exclude each other
  };
  State state = State::ready;
  std::string reason;  ///< of the other two, in words that are equal for equal reasons
  /// Of an excluded one: how far its constraint is from holding, if that is a number, and the values in it:
  /// "estimate.area_mm2 is 41.2".
  std::optional<double> shortfall;
  std::string values;
  std::string file;                 ///< of the scenario
  std::vector<Override> overrides;  ///< all: what the sweep sets and what the point sets
  /// SHA-256 of all that the result depends on: build, parameters, network, and the content of files.
  std::string key;
};

class PointPreparer {
 public:
  /// @throws InputError  a constraint has values of the wrong kind
  PointPreparer(const SweepDefinition& definition, const ScenarioOptions& options, const BuildInfo& build);

  [[nodiscard]] PreparedPoint prepare(const SweepPoint& point);
  /// A run with these settings, whatever the constraints.
  [[nodiscard]] PreparedPoint prepare_run(const std::string& file, const std::vector<Override>& overrides);
  /// Only the constraints that keys of the scenario decide; much faster. @return the one that does not hold, or null
  [[nodiscard]] const Expression* broken_constraint(const SweepPoint& point);

 private:
  [[nodiscard]] std::optional<ExpressionValue> key_value(const SweepPoint& point, const std::string& name);
  [[nodiscard]] const Scenario* scenario_of_presets(const SweepPoint& point);
  [[nodiscard]] std::unique_ptr<Scenario> read(const PreparedPoint& point) const;

  const SweepDefinition& definition_;
  const ScenarioOptions& options_;
  ContentKeys keys_;
  /// Scenarios with the values of those axes alone that change other keys (presets, a memory standard).
  std::map<std::string, std::unique_ptr<Scenario>> scenarios_;
};

/// The value of a key of a scenario; nullopt if there is no such key.
[[nodiscard]] std::optional<ExpressionValue> scenario_value(const Scenario& scenario, const std::string& key);

/// The first line of a reader's message without the place, which names the point's values: equal reasons are counted
/// together. @param file  of the scenario
[[nodiscard]] std::string general_reason(const std::string& message, const std::string& file);

}  // namespace bvp
