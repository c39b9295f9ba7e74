// SPDX-License-Identifier: Apache-2.0
// Defines the commands `butterfly-vp asm` and `butterfly-vp disasm`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

#include "models/abi/image_checksum.h"
#include "models/base/machine_shape.h"
#include "models/isa/kernel.h"
#include "platform/assembler/assemble.h"
#include "platform/assembler/kernel_header.h"
#include "platform/assembler/kernel_text.h"
#include "platform/cli/commands.h"
#include "platform/support/input_error.h"
#include "platform/support/input_file.h"
#include "platform/support/output_file.h"
#include "platform/support/seal.h"

namespace bvp {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t largest_text = std::uintmax_t{16} << 20, largest_image = std::uintmax_t{64} << 20;

struct Given {
  std::string file;
  std::string output, header, name;  ///< empty: none
  std::string machine;               ///< a scenario; empty: any machine
  std::vector<std::string> sets;
};

/// What a machine can run.
struct Machine {
  KernelLimits limits;  ///< lanes 0: any
  u64 max_image_bytes = 0;
};

/// The machine that the user names, or else the largest one that a scenario can describe.
Machine machine_of(const Given& given) {
  if (!given.machine.empty() || !given.sets.empty()) {
    const std::string name = given.machine.empty() ? "encoder_128x64" : given.machine;
    const auto scenario = read_scenario(scenario_file(name), scenario_options(parse_overrides(given.sets)));
    const MachineShape shape = scenario->soc.shape();
    return {{shape.lanes, shape.rows, shape.columns, shape.operand_vectors, shape.accumulators, shape.instruction_store,
             shape.swapping_fma},
            static_cast<u64>(scenario->soc.sequencer.max_image_bytes)};
  }
  const Scenario defaults;
  const SocParameters& soc = defaults.soc;
  const auto most = [](const Param<i64>& parameter) { return static_cast<u32>(parameter.range().max); };
  return {{0, most(soc.array.rows), most(soc.array.columns), most(soc.pe.operand_vectors), most(soc.pe.accumulators),
           most(soc.pe.instruction_store), true},
          most(soc.sequencer.max_image_bytes)};
}

/// Why no machine has so many lanes; empty if one has.
std::string why_no_lanes(u32 lanes) {
  Scenario scenario;
  try {
    scenario.soc.array.lanes = i64{lanes};
    return {};
  } catch (const ParamError& error) {
    return error.what();
  }
}

/// @throws KernelError  the machine does not run it
Kernel read_image(const std::string& bytes, Machine machine) {
  if (bytes.size() > machine.max_image_bytes) {
    throw KernelError(fmt::format("kernel image: found {} bytes, expected at most {} (soc.sequencer.max_image_bytes)",
                                  bytes.size(), machine.max_image_bytes));
  }
  Kernel kernel = Kernel::decode(reinterpret_cast<const u8*>(bytes.data()), bytes.size());
  if (machine.limits.lanes == 0) {
    machine.limits.lanes = kernel.lanes;
    if (const std::string why = why_no_lanes(kernel.lanes); !why.empty()) throw KernelError("kernel image: " + why);
  }
  kernel.check(machine.limits);
  return kernel;
}

/// @throws KernelError  a sequencer would refuse the image, some of whose bits have changed
void check_sum(const std::string& bytes) {
  ImageHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  const u32 checksum = image_checksum(reinterpret_cast<const u8*>(bytes.data()), bytes.size());
  if (header.checksum == checksum) return;
  throw KernelError(
      fmt::format("kernel image: its header has the check sum {:#010x}, expected {:#010x} for these bytes: a sequencer "
                  "refuses it; assemble it again",
                  header.checksum, checksum));
}

bool is_image(const fs::path& file) {
  try {
    static_cast<void>(read_image(read_input_file(file, largest_image), machine_of({})));
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

/// An image may be replaced by an image, and nothing else. @throws InputError
void check_image_replaceable(const fs::path& file, const InputFiles& inputs) {
  if (!is_image(file)) return check_replaceable(file, inputs, std::nullopt);
  check_writable(file);
  check_not_read(file, inputs);
}

/// @throws InputError  with every mistake, one a line
AssembledKernel assemble_file(const std::string& file, const Machine& machine) {
  const std::string text = read_input_stream(file, largest_text);
  Assembly assembly = assemble(text, machine.limits);
  if (assembly.errors.empty()) {
    const std::string lanes = why_no_lanes(assembly.result.kernel.lanes);
    if (!lanes.empty()) assembly.errors.push_back({assembly.kernel_place, lanes});
    const std::size_t bytes = assembly.result.kernel.encode().size();
    if (bytes > machine.max_image_bytes) {
      assembly.errors.push_back(
          {assembly.kernel_place,
           fmt::format("the image has {} bytes, expected at most {} (soc.sequencer.max_image_bytes)", bytes,
                       machine.max_image_bytes)});
    }
  }
  if (assembly.errors.empty()) return std::move(assembly.result);
  std::string message;
  for (const Assembly::Error& error : assembly.errors) {
    message += fmt::format("{}{}:{}:{}: {}", message.empty() ? "" : "\n", file, error.place.line, error.place.column,
                           error.message);
  }
  throw InputError(message);
}

int asm_command(const Given& given) {
  const InputFiles inputs{{"the kernel's text", given.file}};
  const AssembledKernel assembled = assemble_file(given.file, machine_of(given));
  if (!given.output.empty()) check_image_replaceable(given.output, inputs);
  if (!given.header.empty()) check_replaceable(given.header, inputs, Sealed::kernel);
  const std::vector<u8> image = assembled.kernel.encode();
  if (!given.output.empty()) {
    write_file(given.output, std::string_view(reinterpret_cast<const char*>(image.data()), image.size()));
  }
  if (!given.header.empty()) {
    const std::string name = c_name(given.name.empty() ? fs::path(given.file).stem().string() : given.name);
    write_file(given.header, kernel_header(assembled, name, fs::path(given.file).filename().string()));
  }
  if (given.output.empty() && given.header.empty()) {
    const Kernel& kernel = assembled.kernel;
    fmt::print("{}: {} bytes, {} instructions, {} segments, {} edges\n", given.file, image.size(), kernel.code.size(),
               kernel.segments.size(), kernel.edges.size());
  }
  return exit_passed;
}

int disasm_command(const Given& given) {
  const std::string bytes = read_input_stream(given.file, largest_image);
  try {
    const Kernel kernel = read_image(bytes, machine_of(given));
    fmt::print("{}", kernel_text(kernel));
    const std::vector<u8> image = kernel.encode();
    const auto differs = std::mismatch(image.begin(), image.end(), bytes.begin(), bytes.end(),
                                       [](u8 a, char b) { return a == static_cast<u8>(b); });
    if (differs.first != image.end() || differs.second != bytes.end()) {
      say(fmt::format(
          "note: {}: is not written as the compiler and the assembler write images: what this text assembles to "
          "does the same, but differs from byte {} on\n",
          given.file, differs.first - image.begin()));
    }
    check_sum(bytes);
  } catch (const KernelError& error) {
    throw InputError(fmt::format("{}: {}", given.file, error.what()));
  }
  return exit_passed;
}

void add_machine_options(CLI::App& app, Given& given) {
  app.add_option(
         "--machine", given.machine,
         "Check that the machine of this scenario runs it (default: that a machine can be described which does)")
      ->check(not_empty())
      ->type_name("SCENARIO");
  add_set_option(app, given.sets);
}

}  // namespace

void add_asm_command(CommandLine& line) {
  const auto given = std::make_shared<Given>();
  CLI::App& app = *line.app.add_subcommand("asm", "Assemble the text of a kernel to its image");
  app.add_option("file", given->file, "The kernel's text")->required()->check(not_empty())->type_name("FILE");
  app.add_option("--output", given->output, "File for the image (default: only check)")
      ->check(not_empty())
      ->type_name("FILE");
  app.add_option("--header", given->header, "File for a C header with the image and the names of launch registers")
      ->check(not_empty())
      ->type_name("FILE");
  app.add_option("--name", given->name, "What the header calls the kernel (default: the name of the text's file)")
      ->check(not_empty())
      ->type_name("NAME");
  add_machine_options(app, *given);
  app.final_callback([&line, given] { line.selected = [given] { return asm_command(*given); }; });
}

void add_disasm_command(CommandLine& line) {
  const auto given = std::make_shared<Given>();
  CLI::App& app = *line.app.add_subcommand("disasm", "Print the text of a kernel image, which assembles to it again");
  app.add_option("file", given->file, "The image")->required()->check(not_empty())->type_name("FILE");
  add_machine_options(app, *given);
  app.final_callback([&line, given] { line.selected = [given] { return disasm_command(*given); }; });
}

}  // namespace bvp
