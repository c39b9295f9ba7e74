// SPDX-License-Identifier: Apache-2.0
// Defines the command `butterfly-vp describe`.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <memory>
#include <optional>
#include <utility>

#include "platform/cli/commands.h"
#include "platform/cli/terminal.h"
#include "platform/codegen/register_banks.h"
#include "platform/config/describe_parameter.h"
#include "platform/config/parameters_json.h"
#include "platform/network/mixing.h"
#include "platform/network/network_json.h"
#include "platform/network/weights.h"
#include "platform/report/plan_report.h"
#include "platform/run/compile_scenario.h"
#include "platform/run/machine.h"
#include "platform/scenario/scenario_schema.h"
#include "platform/soc/memory_map.h"
#include "platform/support/json_text.h"
#include "platform/support/printable.h"
#include "platform/support/text_table.h"

namespace bvp {
namespace {

struct DescribeCommand {
  std::string scenario;  ///< empty: the defaults
  std::vector<Override> overrides;
  std::string filter;  ///< only entries with this text in their name are shown; empty: all
  bool tensors = false;
  bool json = false;
  bool schema = false;
  bool markdown = false;
};

struct Given {
  DescribeCommand command;
  std::vector<std::string> sets;
};

using Json = nlohmann::ordered_json;

/// The parts of the description that the user asks for.
class Filter {
 public:
  explicit Filter(std::string text) : text_(lower(std::move(text))) {}

  [[nodiscard]] bool everything() const { return text_.empty(); }
  /// Compares without regard to upper and lower case, and remembers whether anything matched.
  [[nodiscard]] bool shows(const std::string& name) {
    const bool found = lower(name).find(text_) != std::string::npos;
    found_ |= found;
    return found;
  }
  /// @throws InputError  nothing matched
  void check_found() const {
    if (everything() || found_) return;
    throw InputError(
        fmt::format("--filter {}: nothing has this in its name; expected part of the name of a key (lanes), a "
                    "register, a region or "
                    "an interrupt line, or of a scenario's tensor, task or kernel",
                    printable(text_)));
  }

 private:
  static std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
  }

  std::string text_;
  bool found_ = false;
};

/// Prints entries below a heading; without entries it prints no heading.
class Section {
 public:
  explicit Section(std::string heading) : heading_(std::move(heading)) {}
  ~Section() {
    if (heading_.empty()) fmt::print("\n");
  }
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;

  void print(const std::string& entry) {
    if (!heading_.empty()) fmt::print("{}\n\n", heading_);
    heading_.clear();
    fmt::print("{}\n", entry);
  }

 private:
  std::string heading_;
};

void print_memory_map(Filter& filter) {
  {
    Section section(fmt::format("Memory map of the bus\n\n  {:<22}{:<12}  {:<13} {}", "region", "base", "bytes at most",
                                "what it is"));
    for (const MemoryRegion& region : memory_regions()) {
      if (!filter.shows(region.name)) continue;
      section.print(
          fmt::format("  {:<22}{:#012x}  {:#012x}  {}", region.name, region.base, region.span, region.description));
    }
  }
  Section section("Interrupt lines");
  for (const InterruptLine& interrupt : interrupt_lines()) {
    if (!filter.shows(interrupt.name)) continue;
    section.print(fmt::format("  {:<22}{:>2}  {}", interrupt.name, interrupt.line, interrupt.description));
  }
}

void print_registers(Filter& filter) {
  for (const RegisterBankView& bank : register_banks()) {
    const bool whole_bank = filter.shows(bank.name);
    Section section(fmt::format("Registers of {} at {:#x}: {}", bank.name, bank.base, bank.description));
    for (const RegisterView& reg : bank.registers) {
      if (!whole_bank && !filter.shows(reg.name)) continue;
      const std::string name = reg.elements == 1 ? reg.name : fmt::format("{}[{}]", reg.name, reg.elements);
      section.print(fmt::format("  {:#06x}  {:<22}{:<5}reset {:#x}  {}", reg.offset, name, reg.access, reg.reset,
                                reg.description));
      for (const FieldView& field : reg.fields) {
        const std::string bits = field.width == 1 ? fmt::format("{}", field.lsb)
                                                  : fmt::format("{}:{}", field.lsb + field.width - 1, field.lsb);
        section.print(fmt::format("          bits {:<6}{:<16}{}", bits, field.name, field.description));
      }
    }
  }
}

std::string parameter_text(const ParamBase& parameter, const std::string& key, const Scenario& scenario) {
  const auto given = scenario.given.find(key);
  const bool unset = parameter.required() && given == scenario.given.end();
  std::string value = unset ? "(required)" : value_text(parameter.value());
  if (value.empty()) value = "(empty)";
  if (!parameter.unit().empty() && parameter.unit() != "1" && !unset) value += " " + parameter.unit();
  std::string text = fmt::format("  {} = {}\n      {}\n", key, value, parameter.description());
  const std::string allowed = range_text(parameter);
  if (!allowed.empty()) text += fmt::format("      allowed: {}\n", allowed);
  if (!parameter.required() && parameter.value() != parameter.default_value()) {
    text += fmt::format("      default: {}\n", value_text(parameter.default_value()));
  }
  const auto origin = scenario.origins.find(key);
  const bool declared = origin == scenario.origins.end();
  text += fmt::format("      source: {} (confidence {})", declared ? parameter.source() : origin->second.source,
                      confidence_text(declared ? parameter.confidence() : origin->second.confidence));
  if (given != scenario.given.end()) text += fmt::format("\n      given by {}", given->second);
  return text;
}

void print_group(const ParameterGroup& group, const std::string& path, const Scenario& scenario, Filter& filter) {
  {
    Section section(fmt::format("{}: {}", path.empty() ? group.name() : path, group.description()));
    for (const ParamBase* parameter : group.parameters()) {
      const std::string key = path.empty() ? parameter->name() : path + "." + parameter->name();
      if (filter.shows(key)) section.print(parameter_text(*parameter, key, scenario));
    }
  }
  for (const ParameterGroup* child : group.groups()) {
    print_group(*child, path.empty() ? child->name() : path + "." + child->name(), scenario, filter);
  }
}

void print_layers(const Network& network) {
  fmt::print("network.layers: {}\n\n", network.layers.size());
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const EncoderLayer& layer = network.layers[i];
    const bool attention = attends(layer);
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

/// The keys that a sweep may hold fixed.
void print_area(const SocParameters& parameters) {
  double total = 0;
  TextTable table({{"component"}, {"mm2"}});
  for (const auto& [component, mm2] : area_by_component(parameters)) {
    total += mm2;
    table.add({component, fmt::format("{:.3f}", mm2)});
  }
  table.add({"total", fmt::format("{:.3f}", total)});
  fmt::print("Area at 12 nm, an estimate from the configuration (docs/energy.md)\n\n{}\n", table.text());
}

struct ExpectedInput {
  std::string name, types;
  std::vector<u64> shape;
};

/// The expected tensors of run.input.
std::vector<ExpectedInput> expected_inputs(const Network& network) {
  constexpr const char* integers = "U8, U16, I32, U32 or I64";
  const std::vector<u64> of_tokens{network.batch, network.tokens};
  std::vector<ExpectedInput> inputs;
  if (network.vocabulary > 0) {
    inputs.push_back({"tokens", integers, of_tokens});
  } else {
    const InputSpec spec = input_spec(network);
    inputs.push_back({spec.name, "F16", spec.shape});
  }
  if (network.padding_mask) inputs.push_back({"mask", integers, of_tokens});
  return inputs;
}

std::string shape_text(const std::vector<u64>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

void print_tensors(const Network& network, Filter& filter) {
  u64 count = 0, elements = 0;
  bool twiddles = false;
  TextTable table({{"tensor"}, {"shape"}});
  for (const TensorSpec& spec : parameter_specs(network)) {
    if (!filter.shows(spec.name)) continue;
    ++count;
    elements += Tensor::elements(spec.shape);
    twiddles |= spec.role == TensorRole::twiddle;
    table.add({spec.name, shape_text(spec.shape)});
  }
  if (count > 0) {
    fmt::print("run.weights: {} tensors of type F16, {} elements, {} bytes; BF16, F32 and F64 are rounded\n\n{}\n",
               count, grouped(elements), grouped(2 * elements), table.text(terminal_width(STDOUT_FILENO)));
  }
  if (twiddles) {
    fmt::print(
        "A twiddle is [stacks, log2 n, n/2, 2, 2]: factor k has stride 2^k, its pair p = g 2^k + o joins the points\n"
        "i = 2 g 2^k + o and i + 2^k. torch_butterfly has the same with increasing_stride=True and nblocks=1,\n"
        "with an axis of blocks behind the stacks, to be removed (docs/your_network.md).\n\n");
  }
  for (const ExpectedInput& input : expected_inputs(network)) {
    if (!filter.shows(input.name)) continue;
    fmt::print("run.input: {} {} of type {}\n", input.name, shape_text(input.shape), input.types);
  }
}

Json tensors_json(const Network& network, Filter& filter) {
  Json weights = Json::array();
  for (const TensorSpec& spec : parameter_specs(network)) {
    if (filter.shows(spec.name)) weights.push_back({{"name", spec.name}, {"dtype", "F16"}, {"shape", spec.shape}});
  }
  Json inputs = Json::array();
  for (const ExpectedInput& input : expected_inputs(network)) {
    if (!filter.shows(input.name)) continue;
    inputs.push_back({{"name", input.name}, {"dtype", input.types}, {"shape", input.shape}});
  }
  return {{"run.weights", weights}, {"run.input", inputs}};
}

Json memory_map_json(Filter& filter) {
  Json regions = Json::array();
  for (const MemoryRegion& region : memory_regions()) {
    if (!filter.shows(region.name)) continue;
    regions.push_back(
        {{"name", region.name}, {"base", region.base}, {"bytes", region.span}, {"description", region.description}});
  }
  return regions;
}

Json interrupts_json(Filter& filter) {
  Json lines = Json::array();
  for (const InterruptLine& interrupt : interrupt_lines()) {
    if (!filter.shows(interrupt.name)) continue;
    lines.push_back({{"name", interrupt.name}, {"line", interrupt.line}, {"description", interrupt.description}});
  }
  return lines;
}

Json register_json(const RegisterView& reg) {
  Json fields = Json::array();
  for (const FieldView& field : reg.fields) {
    fields.push_back(
        {{"name", field.name}, {"lsb", field.lsb}, {"width", field.width}, {"description", field.description}});
  }
  return {{"name", reg.name},     {"offset", reg.offset}, {"elements", reg.elements},      {"reset", reg.reset},
          {"access", reg.access}, {"fields", fields},     {"description", reg.description}};
}

Json registers_json(Filter& filter) {
  Json banks = Json::array();
  for (const RegisterBankView& bank : register_banks()) {
    const bool whole_bank = filter.shows(bank.name);
    Json registers = Json::array();
    for (const RegisterView& reg : bank.registers) {
      if (whole_bank || filter.shows(reg.name)) registers.push_back(register_json(reg));
    }
    if (registers.empty()) continue;
    banks.push_back(
        {{"name", bank.name}, {"base", bank.base}, {"description", bank.description}, {"registers", registers}});
  }
  return banks;
}

/// Removes the entries that are not shown from a list of things with names.
Json filtered(const Json& list, Filter& filter) {
  Json shown = Json::array();
  for (const Json& entry : list) {
    if (filter.shows(entry.at("name"))) shown.push_back(entry);
  }
  return shown;
}

Json parameters_shown(const Scenario& scenario, bool defaults, Filter& filter) {
  Json all = parameters_json(scenario, scenario.given, scenario.origins, true);
  if (defaults) all.update(parameters_json(LayerParameters(), scenario.given, {}, true, "network.layers.N."));
  Json shown = Json::object();
  for (const auto& [key, entry] : all.items()) {
    if (filter.shows(key)) shown[key] = entry;
  }
  return shown;
}

Json description_json(const Scenario& scenario, bool defaults, Filter& filter) {
  Json all{{"memory_map", memory_map_json(filter)}, {"interrupts", interrupts_json(filter)}};
  if (defaults) {
    all["registers"] = registers_json(filter);
  } else {
    Json plan = plan_json(plan_scenario(scenario));
    for (const char* list : {"tasks", "kernels"}) plan[list] = filtered(plan[list], filter);
    all["network"] = network_json(scenario.network);
    all["tensors"] = tensors_json(scenario.network, filter);
    all["plan"] = std::move(plan);
    all["area_by_component_mm2"] = area_by_component(scenario.soc);
  }
  all["parameters"] = parameters_shown(scenario, defaults, filter);
  return all;
}

void print_description(const Scenario& scenario, bool defaults, Filter& filter) {
  print_memory_map(filter);
  if (defaults) print_registers(filter);
  if (!defaults && filter.everything()) {
    print_layers(scenario.network);
    fmt::print("{}\n", plan_table(plan_scenario(scenario), terminal_width(STDOUT_FILENO)));
    print_area(scenario.soc);
  }
  print_group(scenario, "", scenario, filter);
  if (defaults) print_group(LayerParameters(), "network.layers.N", scenario, filter);
  if (!defaults && !filter.everything()) {
    print_tensors(scenario.network, filter);
    const std::string plan =
        plan_lines(plan_scenario(scenario), [&](const std::string& name) { return filter.shows(name); });
    if (!plan.empty()) fmt::print("{}", plan);
  }
}

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
  std::vector<Override> overrides = command.overrides;
  if (command.tensors) {
    // The files do not exist yet.
    for (const char* key : {"run.weights", "run.input"}) overrides.push_back({key, "", "--tensors"});
  }
  const auto scenario = defaults ? std::make_unique<Scenario>()
                                 : read_scenario(scenario_file(command.scenario), scenario_options(overrides));
  Filter filter(command.filter);
  if (command.json) {
    const Json description =
        command.tensors ? tensors_json(scenario->network, filter) : description_json(*scenario, defaults, filter);
    filter.check_found();
    fmt::print("{}", json_text(description));
  } else if (command.tensors) {
    print_tensors(scenario->network, filter);
  } else {
    print_description(*scenario, defaults, filter);
  }
  filter.check_found();
  return exit_passed;
}

}  // namespace

void add_describe_command(CommandLine& line) {
  const auto given = std::make_shared<Given>();
  CLI::App& app = *line.app.add_subcommand(
      "describe", "Show the SoC: memory map, registers and every parameter with unit, default and source");
  auto* described =
      app.add_option("scenario", given->command.scenario,
                     "Show the values and the plan of this scenario: a file, or the name of a shipped one")
          ->type_name("SCENARIO")
          ->check(not_empty());
  add_set_option(app, given->sets)->needs("scenario");
  auto* filter = app.add_option("--filter", given->command.filter,
                                "Only keys, registers, regions, tasks, kernels and tensors with TEXT in the name")
                     ->type_name("TEXT")
                     ->check(not_empty());
  auto* tensors = app.add_flag("--tensors", given->command.tensors,
                               "The tensors of the scenario's run.weights and run.input: names, types, shapes")
                      ->needs(described);
  auto* json = app.add_flag("--json", given->command.json, "Print JSON");
  auto* schema = app.add_flag("--schema", given->command.schema, "Print the JSON Schema of scenario files");
  auto* markdown = app.add_flag("--markdown", given->command.markdown, "Print all parameters as Markdown tables");
  for (CLI::Option* other : {described, filter, tensors, json}) {
    schema->excludes(other);
    markdown->excludes(other);
  }
  schema->excludes(markdown);
  app.final_callback([&line, given] {
    line.selected = [given] {
      given->command.overrides = parse_overrides(given->sets);
      return describe_command(given->command);
    };
  });
}

}  // namespace bvp
