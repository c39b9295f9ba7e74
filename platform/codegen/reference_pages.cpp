// SPDX-License-Identifier: Apache-2.0
#include "platform/codegen/reference_pages.h"

#include <fmt/format.h>

#include <array>

#include "models/isa/instruction.h"
#include "models/memory/dram_standard.h"
#include "models/power/estimators/estimators.h"
#include "platform/codegen/records_layout.h"
#include "platform/config/describe_parameter.h"
#include "platform/config/schema.h"
#include "platform/metrics/figures.h"
#include "platform/metrics/limits.h"
#include "platform/scenario/scenario_schema.h"
#include "platform/soc/memory_map.h"

namespace bvp {
namespace {

std::string page(const std::string& title, const std::string& text) {
  return fmt::format(
      "# {}\n\n<!-- Written by `bvp-codegen docs` from the declarations in the sources: do not edit. -->\n\n{}", title,
      text);
}

/// A '|' would end the cell of the table, so it is escaped.
std::string cell(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string memory_map_page() {
  std::string text =
      "Regions of the bus:\n\n| region | base | bytes at most | what it is |\n| --- | --- | --- | --- |\n";
  for (const MemoryRegion& region : memory_regions()) {
    text += fmt::format("| {} | `{:#011x}` | `{:#x}` | {} |\n", region.name, region.base, region.span,
                        cell(region.description));
  }
  text += "\nLines of the interrupt controller:\n\n| line | source | what raises it |\n| --- | --- | --- |\n";
  for (const InterruptLine& interrupt : interrupt_lines()) {
    text += fmt::format("| {} | {} | {} |\n", interrupt.line, interrupt.name, cell(interrupt.description));
  }
  text += "\nAn access to any other address is a bus error, which the CPU takes as an access fault.\n";
  return page("Memory map", text);
}

std::string bits(const FieldView& field) {
  if (field.width == 1) return std::to_string(field.lsb);
  return fmt::format("{}:{}", field.lsb + field.width - 1, field.lsb);
}

std::string registers_page(const std::vector<RegisterBankView>& banks) {
  std::string text =
      "Registers are 32 bits wide and are accessed by aligned loads and stores of 4 bytes, or of 8 bytes for two\n"
      "neighbours, where nothing else is said. rw: read and write, r: read only, w: write only, w1c: a 1 written "
      "clears the bit.\n";
  for (const auto& bank : banks) {
    text += fmt::format("\n## {}\n\nAt `{:#x}`: {}.\n\n", bank.name, bank.base, bank.description);
    if (bank.register_bytes == 1) text += "Its registers are bytes, accessed by loads and stores of one byte.\n\n";
    text += "| offset | register | access | reset | what it is |\n| --- | --- | --- | --- | --- |\n";
    for (const auto& reg : bank.registers) {
      const std::string name = reg.elements == 1 ? reg.name : fmt::format("{}[{}]", reg.name, reg.elements);
      text += fmt::format("| `{:#05x}` | {} | {} | `{:#x}` | {} |\n", reg.offset, name, reg.access, reg.reset,
                          cell(reg.description));
      for (const auto& field : reg.fields)
        text +=
            fmt::format("| | {}.{} | | | bits {}: {} |\n", reg.name, field.name, bits(field), cell(field.description));
    }
  }
  return page("Registers", text);
}

std::string constants_table(const std::vector<NamedConstant>& constants) {
  std::string text = "| name | value | what it is |\n| --- | --- | --- |\n";
  for (const auto& constant : constants)
    text += fmt::format("| {} | {:#x} | {} |\n", constant.name, constant.value, cell(constant.description));
  return text;
}

std::string records_page() {
  std::string text =
      "Records that compiler, firmware and hardware exchange through memory. All values are little endian. In the\n"
      "firmware's header `bvp_hw.h` they are `struct bvp_dma_descriptor` and so on.\n";
  for (const auto& record : record_layouts()) {
    text += fmt::format("\n## {}\n\n{} {} bytes.\n\n", record.name, record.description, record.bytes);
    text += "| offset | type | field | what it is |\n| --- | --- | --- | --- |\n";
    for (const auto& field : record.fields) {
      const std::string name = field.elements == 1 ? field.name : fmt::format("{}[{}]", field.name, field.elements);
      text += fmt::format("| {} | {} | {} | {} |\n", field.offset, field.type, name, cell(field.description));
    }
  }
  text += "\n## Command opcodes\n\n" + constants_table(command_opcodes());
  text += "\n## Constants\n\n" + constants_table(record_constants());
  text += "\n## Error codes of the sequencer\n\n" + constants_table(sequencer_errors());
  text += "\n## Status codes of the DMA\n\n" + constants_table(dma_statuses());
  return page("Records", text);
}

std::string instructions_page() {
  static constexpr std::array<const char*, 7> spaces{"",           "vector", "scalar",  "accumulator",
                                                     "scratchpad", "peer",   "distance"};
  std::string text =
      "A PE's instructions are 64-bit words: opcode in bits 5..0, then the operands d, a, b, c. An operand is an "
      "offset and "
      "the number of one of the segment's four streams, whose address it is added to. Scalars are broadcast over the "
      "lanes; "
      "`peer` is the set of bits of the PE index that differ at the destination. `peer` and `distance`, a number of "
      "lanes, are immediates: the offset without a stream.\n\n"
      "| instruction | opcode | unit | d | a | b | c | meaning |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (unsigned opcode = 0; opcode < 64; ++opcode) {
    const InstructionInfo* info = instruction_info(opcode);
    if (info == nullptr) continue;
    const auto space = [&](Space operand) { return spaces[static_cast<std::size_t>(operand)]; };
    text += fmt::format("| `{}` | {} | {} | {} | {} | {} | {} | {} |\n", info->name, opcode,
                        unit_names[static_cast<std::size_t>(info->unit)], space(info->d), space(info->a),
                        space(info->b), space(info->c), info->meaning);
  }
  return page("Instructions", text);
}

std::string actions_page() {
  std::string text =
      "What the power estimators (`models/power/estimators`) read from the monitors at the sockets and the statistics "
      "of the models.\n"
      "Every [energy table](../energy.md) has a price for each of them.\n\n"
      "| component | action | counted in | one of it is |\n| --- | --- | --- | --- |\n";
  for (const Estimator& estimator : all_estimators()) {
    for (const EnergyAction& action : estimator.actions()) {
      text += fmt::format("| `{}` | `{}` | {} | {} |\n", estimator.component(), action.name, action.unit,
                          cell(action.description));
    }
  }
  return page("Energy actions", text);
}

std::string figures_page() {
  std::string text =
      "The keys of `summary.json`, in its order; others follow them ([what a run leaves](../scenario.md)).\n\n"
      "| key | unit | what it is |\n| --- | --- | --- |\n";
  for (const Figure& figure : figures()) {
    text += fmt::format("| `{}` | {} | {} |\n", figure.key, figure.unit, cell(figure.sentence));
  }
  text += "\n## `limits`\n\n| part of the critical path | what it is | parameter |\n| --- | --- | --- |\n";
  for (const LimitInfo& limit : limit_infos) {
    text += fmt::format("| `{}` | {} | `{}` |\n", limit.name, cell(limit.description), limit.parameter);
  }
  return page("Figures of a run", text);
}

std::string memory_standards_page() {
  std::string text =
      "What `soc.dram.standard` may be: the tables of `models/memory/standards`. A standard gives the values of "
      "`soc.dram` that the scenario does not set, and the prices of the DRAM where the energy table has none. Prices "
      "are "
      "those of all devices of a channel. How to add one: [extending](../extending.md).\n";
  for (const DramStandard& standard : dram_standards()) {
    text += fmt::format("\n## `{}`\n\n{}.\n\n", standard.name, standard.description);
    if (standard.values.empty()) text += "Its values are the defaults of `soc.dram` ([parameters](parameters.md)).\n\n";
    text += "| value | | source | confidence |\n| --- | --- | --- | --- |\n";
    for (const DramStandard::Value& value : standard.values) {
      text += fmt::format("| `{}` | {} | {} | {} |\n", value.parameter, value_text(value.value), cell(value.source),
                          confidence_text(value.confidence));
    }
    for (const DramStandard::Price& price : standard.prices) {
      text += fmt::format("| `{}` | {} {} | {} | {} |\n", price.action, price.picojoules,
                          price.bits > 0 ? "pJ/bit" : "pJ", cell(price.source), confidence_text(price.confidence));
    }
    text += fmt::format("| `standby` | {} W | {} | {} |\n", standard.standby.watts, cell(standard.standby.source),
                        confidence_text(standard.standby.confidence));
  }
  return page("Memory standards", text);
}

}  // namespace

std::map<std::string, std::string> reference_pages(const std::vector<RegisterBankView>& banks) {
  return {{"memory_map.md", memory_map_page()},
          {"registers.md", registers_page(banks)},
          {"records.md", records_page()},
          {"instructions.md", instructions_page()},
          {"actions.md", actions_page()},
          {"figures.md", figures_page()},
          {"parameters.md", page("Parameters", scenario_parameters_markdown())},
          {"memory_standards.md", memory_standards_page()}};
}

}  // namespace bvp
