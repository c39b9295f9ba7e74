// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/preparer.h"

#include <fmt/format.h>

#include <array>

#include "platform/config/describe_parameter.h"
#include "platform/config/yaml_values.h"
#include "platform/explore/estimates.h"
#include "platform/run/machine.h"
#include "platform/run/run.h"
#include "platform/support/sha256.h"

namespace bvp {
namespace {

/// Keys on which no figure depends. Files are in the key by their content.
bool is_outside(const std::string& key) {
  for (const char* outside : {"name", "record.tensors", "record.statistics", "record.trace", "record.trace_bytes",
                              "record.vcd", "run.firmware", "run.weights", "run.input", "energy.profile"}) {
    if (key == outside) return true;
  }
  return key.rfind("baselines.", 0) == 0;
}

void append_parameters(const ParameterGroup& group, const std::string& path, std::string& text) {
  for (const ParamBase* parameter : group.parameters()) {
    const std::string key = path + parameter->name();
    if (!is_outside(key)) text += fmt::format("{}={}\n", key, value_text(parameter->value()));
  }
  for (const ParameterGroup* child : group.groups()) append_parameters(*child, path + child->name() + ".", text);
}

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

}  // namespace

std::string build_identity(const BuildInfo& build) {
  std::string identity = fmt::format("{} {}", build.version, build.commit);
  if (build.dirty || build.commit == "unknown") identity += " " + sha256_of_file("/proc/self/exe");
  return identity;
}

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
    : definition_(definition), options_(options), build_(build_identity(build)) {
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
  const auto exclude = [&](const Expression& constraint) {
    prepared.state = PreparedPoint::State::excluded;
    prepared.reason = constraint.text();
  };
  // The base is a mark beside the points, whether it meets the constraints or not.
  if (point.number != 0) {
    if (const Expression* broken = broken_constraint(point)) {
      exclude(*broken);
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
      exclude(constraint);
      return prepared;
    }
    prepared.key = content_key(*scenario);
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
    prepared.key = content_key(*read(prepared));
  } catch (const InputError& error) {
    prepared.state = PreparedPoint::State::refused;
    prepared.reason = general_reason(error.what(), file);
  }
  return prepared;
}

std::string PointPreparer::content_key(const Scenario& scenario) {
  std::string text = "point 1\nbuild " + build_ + "\n";
  append_parameters(scenario, "", text);
  for (std::size_t i = 0; i < scenario.layers.size(); ++i) {
    append_parameters(*scenario.layers[i], fmt::format("network.layers.{}.", i), text);
  }
  for (std::size_t i = 0; i < scenario.faults.size(); ++i) {
    append_parameters(*scenario.faults[i], fmt::format("faults.{}.", i), text);
  }
  text += fmt::format("energy.profile={}\n", energy_profile(scenario));
  const std::array<std::pair<const char*, std::filesystem::path>, 5> files{{{"firmware", firmware_of(scenario)},
                                                                            {"weights", scenario.run.weights.get()},
                                                                            {"input", scenario.run.input.get()},
                                                                            {"energy", energy_table_file(scenario)},
                                                                            {"area", area_table_file()}}};
  for (const auto& [what, file] : files) text += fmt::format("{} {}\n", what, file.empty() ? "" : hash_of(file));
  return sha256_of(text);
}

const std::string& PointPreparer::hash_of(const std::filesystem::path& file) {
  std::string& hash = hashes_[file.string()];
  if (hash.empty()) {
    try {
      hash = sha256_of_file(file);
    } catch (const std::runtime_error& error) {
      throw InputError(error.what());
    }
  }
  return hash;
}

}  // namespace bvp
