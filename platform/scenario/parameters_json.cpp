// SPDX-License-Identifier: Apache-2.0
#include "platform/scenario/parameters_json.h"

#include <variant>

#include "platform/scenario/describe_parameter.h"

namespace bvp {

namespace {

using Json = nlohmann::ordered_json;

Json value_json(const ParamValue& value) {
  return std::visit([](const auto& held) { return Json(held); }, value);
}

void add_group(const ParameterGroup& group, const std::string& path, const Scenario& scenario, bool declarations,
               Json& out) {
  for (const ParamBase* parameter : group.parameters()) {
    const std::string key = path + parameter->name();
    Json entry{{"value", value_json(parameter->value())},
               {"unit", parameter->unit()},
               {"source", parameter->source()},
               {"confidence", confidence_text(parameter->confidence())}};
    const auto given = scenario.given.find(key);
    if (given != scenario.given.end()) entry["given"] = given->second;
    if (declarations) {
      entry["description"] = parameter->description();
      entry["default"] = parameter->required() ? Json(nullptr) : value_json(parameter->default_value());
      entry["allowed"] = range_text(*parameter);
    }
    out[key] = std::move(entry);
  }
  for (const ParameterGroup* child : group.groups())
    add_group(*child, path + child->name() + ".", scenario, declarations, out);
}

}  // namespace

Json parameters_json(const Scenario& scenario, bool declarations) {
  Json out = Json::object();
  add_group(scenario, "", scenario, declarations, out);
  return out;
}

Json parameters_json(const ParameterGroup& group, const std::string& path, const Scenario& scenario) {
  Json out = Json::object();
  add_group(group, path, scenario, true, out);
  return out;
}

}  // namespace bvp
