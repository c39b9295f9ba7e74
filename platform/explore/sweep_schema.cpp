// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/definition.h"

namespace bvp {
namespace {

using Json = nlohmann::ordered_json;

Json text(const char* description) { return {{"type", "string"}, {"minLength", 1}, {"description", description}}; }

Json texts(const char* description) {
  return {{"type", "array"}, {"items", {{"type", "string"}, {"minLength", 1}}}, {"description", description}};
}

Json object(const char* description, Json properties, Json required) {
  return {{"type", "object"},
          {"description", description},
          {"additionalProperties", false},
          {"required", std::move(required)},
          {"properties", std::move(properties)}};
}

const Json number{{"type", "number"}};
const Json any_list{{"type", "array"}, {"minItems", 1}};

Json axis_schema() {
  Json kinds = Json::array();
  const Json key = text("Key of the scenario, such as soc.dma.outstanding, soc.preset or network.preset");
  const auto add = [&](const char* kind, Json schema, bool has_key) {
    Json properties = Json::object();
    Json required = Json::array();
    if (has_key) {
      properties["key"] = key;
      required.push_back("key");
    }
    properties[kind] = std::move(schema);
    required.push_back(kind);
    kinds.push_back(object("One axis", std::move(properties), std::move(required)));
  };
  Json values = any_list;
  values["description"] = "The values";
  add("values", values, true);
  add("range",
      object("From, from + step, ... up to to; without a step any number between, which needs a method of sampling",
             {{"from", number}, {"to", number}, {"step", {{"type", "number"}, {"exclusiveMinimum", 0}}}},
             {"from", "to"}),
      true);
  add("powers_of_two", object("From, 2 from, 4 from, ... up to to", {{"from", number}, {"to", number}}, {"from", "to"}),
      true);
  add("log",
      object("Values of which each is the same factor above the one before; without points any number between",
             {{"from", number}, {"to", number}, {"points", {{"type", "integer"}, {"minimum", 2}}}}, {"from", "to"}),
      true);
  add("linked",
      {{"type", "object"},
       {"minProperties", 1},
       {"additionalProperties", any_list},
       {"description", "Keys that vary together: lists of the same length"}},
      false);
  Json scenarios = texts("Scenarios, by file or name");
  scenarios["minItems"] = 1;
  add("scenario", scenarios, false);
  return {{"oneOf", kinds}};
}

}  // namespace

Json sweep_schema() {
  Json schema = object(
      "A sweep of butterfly-vp",
      {{"name", text("Name of the sweep (default: that of the file); results go to sweeps/NAME")},
       {"base", text("Scenario that all points start from, by file or name")},
       {"set",
        {{"type", "object"}, {"description", "Keys of the scenario that all points set, in full: run.data: false"}}},
       {"axes", {{"type", "array"}, {"items", axis_schema()}, {"description", "What varies"}}},
       {"workloads",
        {{"type", "array"},
         {"items", axis_schema()},
         {"description",
          "Axes of which every design runs all combinations: networks, methods. Objectives are geometric "
          "means over them"}}},
       {"constraints", texts("Formulas that must hold, over keys of the scenario, estimates and figures of a run: "
                             "estimate.area_mm2 < 40")},
       {"objectives",
        {{"type", "array"},
         {"description", "Formulas to minimise or maximise (default: time_s and energy_j, both minimised)"},
         {"items",
          {{"oneOf",
            {object("", {{"minimise", text("Formula")}}, {"minimise"}),
             object("", {{"maximise", text("Formula")}}, {"maximise"})}}}}}},
       {"sampling",
        object("Which points of the axes",
               {{"method", {{"enum", sampling_methods()}, {"default", "grid"}}},
                {"points", {{"type", "integer"}, {"minimum", 1}, {"maximum", most_points}}},
                {"seed", {{"type", "integer"}, {"minimum", 0}, {"default", 1}}},
                {"population",
                 {{"type", "integer"},
                  {"minimum", 4},
                  {"default", 20},
                  {"description", "Designs of a generation of a search (nsga2: a multiple of 4, at least 8)"}}},
                {"minutes",
                 {{"type", "number"},
                  {"exclusiveMinimum", 0},
                  {"maximum", 1e6},
                  {"description", "A search hands out no further points after this time"}}}},
               Json::array())}},
      {"base", "axes"});
  Json whole{{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", "butterfly-vp sweep"}};
  whole.update(schema);
  return whole;
}

}  // namespace bvp
