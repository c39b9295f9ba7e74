// SPDX-License-Identifier: Apache-2.0
#include "platform/codegen/c_header.h"

#include <fmt/format.h>

#include <cctype>
#include <map>

#include "platform/codegen/records_layout.h"
#include "platform/soc/memory_map.h"
#include "platform/soc/soc_parameters.h"

namespace bvp {
namespace {

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

/// "DmaDescriptor" -> "bvp_dma_descriptor"
std::string c_type_name(const std::string& record) {
  std::string name = "bvp";
  for (const char c : record) {
    if (std::isupper(static_cast<unsigned char>(c)) != 0) name += '_';
    name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return name;
}

std::string c_field_type(const std::string& type) {
  static const std::map<std::string, std::string> integers = {
      {"u8", "uint8_t"},  {"u16", "uint16_t"}, {"u32", "uint32_t"}, {"u64", "uint64_t"},
      {"i16", "int16_t"}, {"i32", "int32_t"},  {"i64", "int64_t"}};
  const auto found = integers.find(type);
  return found != integers.end() ? found->second : "struct " + c_type_name(type);
}

class HeaderWriter {
 public:
  void heading(const std::string& text) { out_ += fmt::format("\n/* {} */\n\n", text); }
  void define(const std::string& name, const std::string& value, const std::string& comment = {}) {
    out_ += fmt::format("#define {} {}", name, value);
    if (!comment.empty()) out_ += fmt::format(" /* {} */", comment);
    out_ += '\n';
  }
  void constants(const std::string& prefix, const std::vector<NamedConstant>& constants) {
    for (const auto& constant : constants)
      define(prefix + upper(constant.name), fmt::format("{:#x}u", constant.value), constant.description);
  }
  void text(const std::string& text) { out_ += text; }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

void write_memory_map(HeaderWriter& out) {
  out.heading("Memory map");
  for (const MemoryRegion& region : memory_regions()) {
    const std::string prefix = "BVP_" + upper(region.name);
    out.define(prefix + "_BASE", fmt::format("{:#x}ull", region.base), region.description);
    out.define(prefix + "_SPAN", fmt::format("{:#x}ull", region.span));
  }
  out.heading("Lines of the interrupt controller");
  for (const InterruptLine& interrupt : interrupt_lines()) {
    out.define("BVP_IRQ_" + upper(interrupt.name), fmt::format("{}u", interrupt.line), interrupt.description);
  }
}

void write_defaults(HeaderWriter& out) {
  ParameterGroup root("codegen");
  const SocParameters soc(&root);
  out.heading("Parameters by default, which a scenario may change");
  out.define("BVP_DEFAULT_CLINT_FREQUENCY_HZ", fmt::format("{:.0f}ull", soc.clint.frequency_hz.get()),
             soc.clint.frequency_hz.description());
  out.define("BVP_DEFAULT_CPU_CLOCK_HZ", fmt::format("{:.0f}ull", soc.cpu.clock_hz.get()),
             soc.cpu.clock_hz.description());
}

void write_registers(HeaderWriter& out, const std::vector<RegisterBankView>& banks) {
  for (const auto& bank : banks) {
    const std::string prefix = "BVP_" + upper(bank.name) + "_";
    out.heading(fmt::format("Registers of {}: byte offsets from BVP_{}_BASE", bank.name, upper(bank.name)));
    for (const auto& reg : bank.registers) {
      const std::string name = prefix + upper(reg.name);
      if (reg.elements == 1) {
        out.define(name, fmt::format("{:#x}u", reg.offset), fmt::format("{}: {}", reg.access, reg.description));
      } else {
        out.define(name + "(i)", fmt::format("({:#x}u + {}u * (i))", reg.offset, bank.register_bytes),
                   fmt::format("{}: {}", reg.access, reg.description));
        out.define(name + "_COUNT", fmt::format("{}u", reg.elements));
      }
      for (const auto& field : reg.fields) {
        const u64 mask = ((u64{1} << field.width) - 1) << field.lsb;
        out.define(fmt::format("{}_{}_MASK", name, upper(field.name)), fmt::format("{:#x}u", mask), field.description);
        out.define(fmt::format("{}_{}_SHIFT", name, upper(field.name)), fmt::format("{}u", field.lsb));
      }
    }
  }
}

void write_records(HeaderWriter& out) {
  for (const auto& record : record_layouts()) {
    const std::string type = c_type_name(record.name);
    out.heading(record.description);
    out.text(fmt::format("struct {} {{\n", type));
    for (const auto& field : record.fields) {
      const std::string suffix = field.elements == 1 ? "" : fmt::format("[{}]", field.elements);
      out.text(fmt::format("  {} {}{}; /* {} */\n", c_field_type(field.type), field.name, suffix, field.description));
    }
    out.text("};\n");
    out.text(fmt::format("BVP_STATIC_ASSERT(sizeof(struct {}) == {}, \"size of {}\");\n", type, record.bytes, type));
    for (const auto& field : record.fields) {
      out.text(fmt::format("BVP_STATIC_ASSERT(offsetof(struct {}, {}) == {}, \"offset of {}.{}\");\n", type, field.name,
                           field.offset, type, field.name));
    }
  }
}

/// Codes as constants, and a function that turns them into text.
void write_codes(HeaderWriter& out, const std::string& heading, const std::string& prefix, const std::string& function,
                 const std::vector<NamedConstant>& codes) {
  out.heading(heading);
  out.constants(prefix, codes);
  out.text(
      fmt::format("\nstatic inline const char* {}(uint32_t code) {{\n"
                  "  switch (code) {{\n",
                  function));
  for (const auto& code : codes) out.text(fmt::format("    case {}: return \"{}\";\n", code.value, code.description));
  out.text(
      "    default: return \"unknown code\";\n"
      "  }\n"
      "}\n");
}

}  // namespace

std::string c_header(const std::vector<RegisterBankView>& banks) {
  HeaderWriter out;
  out.text(
      "/* SPDX-License-Identifier: Apache-2.0 */\n"
      "/* Generated by bvp-codegen from the declarations of the models: do not edit. */\n"
      "#ifndef BVP_HW_H\n"
      "#define BVP_HW_H\n\n"
      "#include <stddef.h>\n"
      "#include <stdint.h>\n\n"
      "#ifdef __cplusplus\n"
      "#define BVP_STATIC_ASSERT(condition, text) static_assert(condition, text)\n"
      "#else\n"
      "#define BVP_STATIC_ASSERT(condition, text) _Static_assert(condition, text)\n"
      "#endif\n");
  write_memory_map(out);
  write_defaults(out);
  write_registers(out, banks);
  out.heading("Opcodes of commands");
  out.constants("BVP_OPCODE_", command_opcodes());
  out.heading("Constants of the records");
  out.constants("BVP_", record_constants());
  write_records(out);
  write_codes(out, "Error codes of the sequencer", "BVP_SEQUENCER_ERROR_", "bvp_sequencer_error_text",
              sequencer_errors());
  write_codes(out, "Status codes of the DMA", "BVP_DMA_STATUS_", "bvp_dma_status_text", dma_statuses());
  out.text("\n#endif\n");
  return out.take();
}

}  // namespace bvp
