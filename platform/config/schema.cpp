// SPDX-License-Identifier: Apache-2.0
#include "platform/config/schema.h"

#include <fmt/format.h>

#include <cmath>

#include "platform/config/describe_parameter.h"

namespace bvp {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const ParamValue& value) {
  return std::visit([](const auto& plain) { return Json(plain); }, value);
}

Json number_schema(const ParamBase& parameter) {
  const bool integer = parameter.type() == ParamType::integer;
  Json schema{{"type", integer ? "integer" : "number"}};
  const auto bound = [&](const char* key, double limit) {
    if (!std::isfinite(limit)) return;
    if (integer) {
      schema[key] = static_cast<i64>(limit);
    } else {
      schema[key] = limit;
    }
  };
  bound("minimum", parameter.range().min);
  bound("maximum", parameter.range().max);
  if (parameter.power_of_two() && std::isfinite(parameter.range().max)) {
    Json powers = Json::array();
    for (u64 power = 1; static_cast<double>(power) <= parameter.range().max; power *= 2) {
      if (static_cast<double>(power) >= parameter.range().min) powers.push_back(power);
    }
    schema["enum"] = powers;
  }
  return schema;
}

Json parameter_schema(const ParamBase& parameter) {
  Json schema;
  switch (parameter.type()) {
    case ParamType::boolean:
      schema["type"] = "boolean";
      break;
    case ParamType::integer:
    case ParamType::real:
      schema = number_schema(parameter);
      break;
    case ParamType::text:
      schema["type"] = "string";
      if (!parameter.choices().empty()) schema["enum"] = parameter.choices();
      break;
  }
  if (!parameter.required()) schema["default"] = to_json(parameter.default_value());
  schema["description"] = parameter.unit().empty() || parameter.unit() == "1"
                              ? parameter.description()
                              : fmt::format("{} [{}]", parameter.description(), parameter.unit());
  return schema;
}

std::string cell(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '|' ? "\\|" : std::string(1, c);
  return out;
}

}  // namespace

nlohmann::ordered_json group_schema(const ParameterGroup& group) {
  Json properties = Json::object();
  for (const ParamBase* parameter : group.parameters()) properties[parameter->name()] = parameter_schema(*parameter);
  for (const ParameterGroup* child : group.groups()) properties[child->name()] = group_schema(*child);
  return {{"type", "object"},
          {"description", group.description()},
          {"additionalProperties", false},
          {"properties", std::move(properties)}};
}

std::string parameters_markdown(const ParameterGroup& group, const std::string& path) {
  std::string text;
  if (!group.parameters().empty()) {
    text += fmt::format("## {}\n\n{}\n\n", path.empty() ? group.name() : "`" + path + "`", group.description());
    text += "| key | default | unit | allowed | what it is | source | confidence |\n";
    text += "| --- | --- | --- | --- | --- | --- | --- |\n";
    for (const ParamBase* parameter : group.parameters()) {
      const std::string key = path.empty() ? parameter->name() : path + "." + parameter->name();
      std::string initial = parameter->required() ? "required" : value_text(parameter->default_value());
      if (initial.empty()) initial = "(empty)";
      text += fmt::format("| `{}` | {} | {} | {} | {} | {} | {} |\n", key, cell(initial), cell(parameter->unit()),
                          cell(range_text(*parameter)), cell(parameter->description()), cell(parameter->source()),
                          confidence_text(parameter->confidence()));
    }
    text += "\n";
  }
  for (const ParameterGroup* child : group.groups()) {
    text += parameters_markdown(*child, path.empty() ? child->name() : path + "." + child->name());
  }
  return text;
}

}  // namespace bvp
