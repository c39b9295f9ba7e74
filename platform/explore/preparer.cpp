// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/preparer.h"

#include <fmt/format.h>

#include "platform/config/describe_parameter.h"
#include "platform/config/yaml_values.h"
#include "platform/explore/estimates.h"

namespace bvp {
namespace {

/// Whether the key may change the values of other keys.
bool changes_others(const std::string& key) {
  return key == scenario_axis_key || key == "soc.preset" || key == "network.preset" || key == "soc.dram.standard";
}

std::optional<ExpressionValue> expression_value_of(const ParamValue& value) {
  if (const auto* truth = std::get_if<bool>(&value)) return ExpressionValue(*truth);
  if (const auto* integer = std::get_if<i64>(&value)) return ExpressionValue(static_cast<double>(*integer));
  if (const auto* real = std::get_if<double>(&value)) return ExpressionValue(*real);
  return ExpressionValue(std::get<std::string>(value));
}

/// "estimate.area_mm2 is 41.2, soc.array.lanes is 32"
std::string values_in(const Expression& formula, const Expression::Lookup& lookup) {
  std::string text;
  for (const std::string& name : formula.names()) {
    const std::optional<ExpressionValue> value = lookup(name);
    if (!value) continue;
    if (!text.empty()) text += ", ";
    if (const auto* number = std::get_if<double>(&*value)) {
      text += fmt::format("{} is {:.6g}", name, *number);
    } else if (const auto* word = std::get_if<std::string>(&*value)) {
      text += fmt::format("{} is '{}'", name, *word);
    } else {
      text += fmt::format("{} is {}", name, std::get<bool>(*value));
    }
  }
  return text;
}

}  // namespace

std::string general_reason(const std::string& message, const std::string& file) {
  std::string line = message.substr(0, message.find('\n'));
  for (const std::string& begin : {file + ": ", std::string("--set ")}) {
    if (line.compare(0, begin.size(), begin) != 0) continue;
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos) line = line.substr(colon + 2);
  }
  return line;
}

std::optional<ExpressionValue> scenario_value(const Scenario& scenario, const std::string& key) {
  const ParamBase* parameter = find_parameter(scenario, key);
  return parameter == nullptr ? std::nullopt : expression_value_of(parameter->value());
}

PointPreparer::PointPreparer(const SweepDefinition& definition, const ScenarioOptions& options, const BuildInfo& build)
    : definition_(definition), options_(options), keys_(build_identity(build)) {
  // Values of the wrong kind ("'a' < 3") show with the base.
  static_cast<void>(broken_constraint({}));
}

const Scenario* PointPreparer::scenario_of_presets(const SweepPoint& point) {
  PreparedPoint reduced;
  reduced.file = definition_.files.at(definition_.base);
  reduced.overrides = definition_.sets;
  std::string id;
  for (const Override& value : point.values) {
    if (!changes_others(value.key)) continue;
    id += value.key + "=" + value.value + "\n";
    if (value.key == scenario_axis_key) {
      reduced.file = definition_.files.at(value.value);
    } else {
      reduced.overrides.push_back(value);
    }
  }
  const auto found = scenarios_.find(id);
  if (found != scenarios_.end()) return found->second.get();
  std::unique_ptr<Scenario> scenario;
  try {
    scenario = read(reduced);
  } catch (const InputError&) {
    // Other values of the point may be needed with these; prepare() reads the whole.
  }
  return scenarios_.emplace(id, std::move(scenario)).first->second.get();
}

std::optional<ExpressionValue> PointPreparer::key_value(const SweepPoint& point, const std::string& name) {
  const Scenario* scenario = scenario_of_presets(point);
  if (scenario == nullptr) return std::nullopt;
  const ParamBase* parameter = find_parameter(*scenario, name);
  if (parameter == nullptr) return std::nullopt;
  for (const Override& value : point.values) {
    if (value.key != name) continue;
    const std::optional<ParamValue> parsed = parse_value(*parameter, value.value, false);
    return parsed ? expression_value_of(*parsed) : std::nullopt;
  }
  return expression_value_of(parameter->value());
}

const Expression* PointPreparer::broken_constraint(const SweepPoint& point) {
  for (const Expression& constraint : definition_.constraints) {
    try {
      const auto lookup = [&](const std::string& name) { return key_value(point, name); };
      if (!constraint.holds(lookup).value_or(true)) return &constraint;
    } catch (const ExpressionError& error) {
      throw InputError(fmt::format("constraint '{}': {}", constraint.text(), error.what()));
    }
  }
  return nullptr;
}

std::unique_ptr<Scenario> PointPreparer::read(const PreparedPoint& point) const {
  ScenarioOptions options = options_;
  options.overrides = point.overrides;
  return read_scenario(point.file, options);
}

PreparedPoint PointPreparer::prepare(const SweepPoint& point) {
  PreparedPoint prepared;
  prepared.file = definition_.files.at(definition_.base);
  prepared.overrides = definition_.sets;
  for (const Override& value : point.values) {
    if (value.key == scenario_axis_key) {
      prepared.file = definition_.files.at(value.value);
    } else {
      prepared.overrides.push_back(value);
    }
  }
  const auto exclude = [&](const Expression& constraint, const Expression::Lookup& lookup) {
    prepared.state = PreparedPoint::State::excluded;
    prepared.reason = constraint.text();
    prepared.shortfall = constraint.shortfall(lookup);
    prepared.values = values_in(constraint, lookup);
  };
  // The base is a mark beside the points, whether it meets the constraints or not.
  if (point.number != 0) {
    if (const Expression* broken = broken_constraint(point)) {
      exclude(*broken, [&](const std::string& name) { return key_value(point, name); });
      return prepared;
    }
  }
  try {
    const std::unique_ptr<Scenario> scenario = read(prepared);
    const auto lookup = [&](const std::string& name) -> std::optional<ExpressionValue> {
      if (const Estimate* estimate = find_estimate(name)) return ExpressionValue(estimate->value(*scenario));
      return scenario_value(*scenario, name);
    };
    for (const Expression& constraint : definition_.constraints) {
      if (point.number == 0 || constraint.holds(lookup).value_or(true)) continue;
      exclude(constraint, lookup);
      return prepared;
    }
    prepared.key = keys_.of(*scenario);
  } catch (const InputError& error) {
    prepared.state = PreparedPoint::State::refused;
    prepared.reason = general_reason(error.what(), prepared.file);
  } catch (const ExpressionError& error) {
    throw InputError(fmt::format("a constraint: {}", error.what()));
  }
  return prepared;
}

PreparedPoint PointPreparer::prepare_run(const std::string& file, const std::vector<Override>& overrides) {
  PreparedPoint prepared;
  prepared.file = file;
  prepared.overrides = overrides;
  try {
    prepared.key = keys_.of(*read(prepared));
  } catch (const InputError& error) {
    prepared.state = PreparedPoint::State::refused;
    prepared.reason = general_reason(error.what(), file);
  }
  return prepared;
}

}  // namespace bvp
