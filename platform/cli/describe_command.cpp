// SPDX-License-Identifier: Apache-2.0
// butterfly-vp describe
#include <fmt/format.h>

#include "platform/cli/commands.h"
#include "platform/codegen/register_banks.h"
#include "platform/network/network_json.h"
#include "platform/network/weights.h"
#include "platform/report/plan_report.h"
#include "platform/report/text_table.h"
#include "platform/run/compile_scenario.h"
#include "platform/run/machine.h"
#include "platform/scenario/describe_parameter.h"
#include "platform/scenario/schema.h"
#include "platform/soc/memory_map.h"

namespace bvp {
namespace {

void print_memory_map() {
  fmt::print("Memory map of the bus\n\n  {:<22}{:>12}  {:>12}  {}\n", "region", "base", "bytes", "what it is");
#define BVP_PRINT_REGION(name, base, bytes, description) \
  fmt::print("  {:<22}{:#012x}  {:#012x}  {}\n", #name, u64{base}, u64{bytes}, description);
  BVP_MEMORY_MAP(BVP_PRINT_REGION)
#undef BVP_PRINT_REGION
  fmt::print("\nInterrupt lines\n\n");
#define BVP_PRINT_INTERRUPT(name, line, description) fmt::print("  {:<22}{:>2}  {}\n", #name, line, description);
  BVP_INTERRUPT_MAP(BVP_PRINT_INTERRUPT)
#undef BVP_PRINT_INTERRUPT
  fmt::print("\n");
}

void print_registers() {
  for (const RegisterBankView& bank : register_banks()) {
    fmt::print("Registers of {} at {:#x}: {}\n\n", bank.name, bank.base, bank.description);
    for (const RegisterView& reg : bank.registers) {
      const std::string name = reg.elements == 1 ? reg.name : fmt::format("{}[{}]", reg.name, reg.elements);
      fmt::print("  {:#06x}  {:<22}{:<5}reset {:#x}  {}\n", reg.offset, name, reg.access, reg.reset, reg.description);
      for (const FieldView& field : reg.fields) {
        const std::string bits = field.width == 1 ? fmt::format("{}", field.lsb)
                                                  : fmt::format("{}:{}", field.lsb + field.width - 1, field.lsb);
        fmt::print("          bits {:<6}{:<16}{}\n", bits, field.name, field.description);
      }
    }
    fmt::print("\n");
  }
}

void print_parameter(const ParamBase& parameter, const std::string& key, const Scenario& scenario) {
  const auto given = scenario.given.find(key);
  const bool unset = parameter.required() && given == scenario.given.end();
  std::string value = unset ? "(required)" : value_text(parameter.value());
  if (value.empty()) value = "(empty)";
  if (!parameter.unit().empty() && parameter.unit() != "1" && !unset) value += " " + parameter.unit();
  fmt::print("  {} = {}\n      {}\n", key, value, parameter.description());
  const std::string allowed = range_text(parameter);
  if (!allowed.empty()) fmt::print("      allowed: {}\n", allowed);
  if (!parameter.required() && parameter.value() != parameter.default_value()) {
    fmt::print("      default: {}\n", value_text(parameter.default_value()));
  }
  fmt::print("      source: {} (confidence {})\n", parameter.source(), confidence_text(parameter.confidence()));
  if (given != scenario.given.end()) fmt::print("      given by {}\n", given->second);
}

void print_group(const ParameterGroup& group, const std::string& path, const Scenario& scenario) {
  if (!group.parameters().empty()) {
    fmt::print("{}: {}\n\n", path.empty() ? group.name() : path, group.description());
    for (const ParamBase* parameter : group.parameters()) {
      print_parameter(*parameter, path.empty() ? parameter->name() : path + "." + parameter->name(), scenario);
    }
    fmt::print("\n");
  }
  for (const ParameterGroup* child : group.groups()) {
    print_group(*child, path.empty() ? child->name() : path + "." + child->name(), scenario);
  }
}

void print_layers(const Network& network) {
  fmt::print("network.layers: {}\n\n", network.layers.size());
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const EncoderLayer& layer = network.layers[i];
    const bool attention = layer.mixing == Mixing::attention;
    fmt::print("  {:>4}  mixing {:<10} projections {:<10} ffn {}\n", i, name_of(layer.mixing),
               attention ? name_of(layer.projections) : "-", name_of(layer.ffn));
  }
  if (const std::string padding = zero_padding(network); !padding.empty()) fmt::print("\n  Note: {}.\n", padding);
  u64 parameters = 0;
  for (const TensorSpec& spec : parameter_specs(network)) parameters += Tensor::elements(spec.shape);
  const u64 activations = network.batch * network.tokens * network.hidden;
  fmt::print("\n  {} parameters ({} bytes), {} elements between layers ({} bytes)\n\n", parameters, 2 * parameters,
             activations, 2 * activations);
}

/// What a sweep may hold fixed.
void print_area(const SocParameters& parameters) {
  double total = 0;
  TextTable table({"component", "mm2"});
  for (const auto& [component, mm2] : area_by_component(parameters)) {
    total += mm2;
    table.add({component, fmt::format("{:.3f}", mm2)});
  }
  table.add({"total", fmt::format("{:.3f}", total)});
  fmt::print("Area at 12 nm, an estimate from the configuration (docs/energy.md)\n\n{}\n", table.text());
}

}  // namespace

int describe_command(const DescribeCommand& command) {
  if (command.schema) {
    fmt::print("{}\n", scenario_schema().dump(2));
    return exit_passed;
  }
  if (command.markdown) {
    fmt::print("{}", scenario_parameters_markdown());
    return exit_passed;
  }
  const bool defaults = command.scenario.empty();
  const auto scenario =
      defaults ? std::make_unique<Scenario>() : read_scenario(command.scenario, scenario_options(command.overrides));
  print_memory_map();
  if (defaults) print_registers();
  if (!defaults) {
    print_layers(scenario->network);
    fmt::print("{}\n", plan_table(plan_scenario(*scenario)));
    print_area(scenario->soc);
  }
  print_group(*scenario, "", *scenario);
  if (defaults) print_group(LayerParameters(), "network.layers.N", *scenario);
  return exit_passed;
}

}  // namespace bvp
