// SPDX-License-Identifier: Apache-2.0
#include "platform/scenario/scenario_schema.h"

#include <fmt/format.h>

#include "platform/config/schema.h"
#include "platform/scenario/scenario.h"

namespace bvp {
namespace {

using Json = nlohmann::ordered_json;

Json preset_schema(const char* folder) {
  return {{"type", "string"},
          {"description",
           fmt::format("Values to start from: the file {}/NAME.yaml, or a path that ends in .yaml.", folder)}};
}

}  // namespace

nlohmann::ordered_json scenario_schema() {
  const Scenario scenario;
  Json schema{{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", "butterfly-vp scenario"}};
  schema.update(group_schema(scenario));
  schema["properties"]["soc"]["properties"]["preset"] = preset_schema("soc");
  Json& network = schema["properties"]["network"]["properties"];
  network["preset"] = preset_schema("networks");
  network["layers"] = {{"type", "array"},
                       {"minItems", 1},
                       {"description", "The encoder layers, first to last."},
                       {"items", group_schema(LayerParameters())}};
  schema["properties"]["faults"] = {
      {"type", "array"}, {"description", "Faults that the run meets."}, {"items", group_schema(FaultParameters())}};
  schema["required"] = {"network"};
  return schema;
}

std::string scenario_parameters_markdown() {
  return parameters_markdown(Scenario()) + parameters_markdown(LayerParameters(), "network.layers.N") +
         parameters_markdown(FaultParameters(), "faults.N");
}

}  // namespace bvp
