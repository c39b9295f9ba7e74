// SPDX-License-Identifier: Apache-2.0
#include "platform/scenario/parameters_json.h"

#include <variant>

#include "platform/scenario/describe_parameter.h"

namespace bvp {

namespace {

using Json = nlohmann::ordered_json;

void add_group(const ParameterGroup& group, const std::string& path, const Scenario& scenario, Json& out) {
  for (const ParamBase* parameter : group.parameters()) {
    const std::string key = path + parameter->name();
    Json entry{{"value", std::visit([](const auto& value) { return Json(value); }, parameter->value())},
               {"unit", parameter->unit()},
               {"source", parameter->source()},
               {"confidence", confidence_text(parameter->confidence())}};
    const auto given = scenario.given.find(key);
    if (given != scenario.given.end()) entry["given"] = given->second;
    out[key] = std::move(entry);
  }
  for (const ParameterGroup* child : group.groups()) add_group(*child, path + child->name() + ".", scenario, out);
}

}  // namespace

Json parameters_json(const Scenario& scenario) {
  Json out = Json::object();
  add_group(scenario, "", scenario, out);
  return out;
}

}  // namespace bvp
