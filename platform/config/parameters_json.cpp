// SPDX-License-Identifier: Apache-2.0
#include "platform/config/parameters_json.h"

#include <variant>

#include "platform/config/describe_parameter.h"

namespace bvp {

namespace {

using Json = nlohmann::ordered_json;

Json value_json(const ParamValue& value) {
  return std::visit([](const auto& held) { return Json(held); }, value);
}

void add_group(const ParameterGroup& group, const std::string& path, const GivenKeys& given_keys,
               const ParameterOrigins& origins, bool declarations, Json& out) {
  for (const ParamBase* parameter : group.parameters()) {
    const std::string key = path + parameter->name();
    const auto origin = origins.find(key);
    const bool declared = origin == origins.end();
    Json entry{{"value", value_json(parameter->value())},
               {"unit", parameter->unit()},
               {"source", declared ? parameter->source() : origin->second.source},
               {"confidence", confidence_text(declared ? parameter->confidence() : origin->second.confidence)}};
    const auto given = given_keys.find(key);
    if (given != given_keys.end()) entry["given"] = given->second;
    if (declarations) {
      entry["description"] = parameter->description();
      entry["default"] = parameter->required() ? Json(nullptr) : value_json(parameter->default_value());
      entry["allowed"] = range_text(*parameter);
    }
    out[key] = std::move(entry);
  }
  for (const ParameterGroup* child : group.groups())
    add_group(*child, path + child->name() + ".", given_keys, origins, declarations, out);
}

}  // namespace

Json parameters_json(const ParameterGroup& group, const GivenKeys& given, const ParameterOrigins& origins,
                     bool declarations, const std::string& path) {
  Json out = Json::object();
  add_group(group, path, given, origins, declarations, out);
  return out;
}

}  // namespace bvp
