// SPDX-License-Identifier: Apache-2.0
// Defines the command `butterfly-vp compile`.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/abi/records.h"
#include "platform/cli/commands.h"
#include "platform/cli/made_files.h"
#include "platform/program/kernel_images.h"
#include "platform/run/check_machine.h"
#include "platform/run/loader.h"
#include "platform/run/memory_image.h"

namespace bvp {
namespace {

using Json = nlohmann::ordered_json;

struct Given {
  std::string scenario, directory;
  std::vector<std::string> sets;
};

/// A place in DRAM with a name.
struct NamedPlace {
  std::string name;
  MatrixPlace place;
};

std::vector<NamedPlace> places_of(const CompiledNetwork& network) {
  std::vector<NamedPlace> places;
  const auto add = [&](const std::string& name, const MatrixPlace& place) {
    if (place.rows > 0) places.push_back({name, place});
  };
  add("patches", network.patches);
  add("mask", network.mask);
  add("input", network.input);
  for (std::size_t i = 0; i < network.layer_outputs.size(); ++i) {
    add(fmt::format("layer_{}_output", i), network.layer_outputs[i]);
  }
  add("output", network.output);
  add("logits", network.logits);
  return places;
}

/// Sorts the contents of the memory, and joins those between which less than a page lies that nobody has filled.
std::vector<MemoryBlob> joined(std::vector<MemoryBlob> blobs) {
  constexpr u64 page = 4096;
  std::stable_sort(blobs.begin(), blobs.end(),
                   [](const MemoryBlob& a, const MemoryBlob& b) { return a.address < b.address; });
  std::vector<MemoryBlob> result;
  for (MemoryBlob& blob : blobs) {
    const bool near = !result.empty() && blob.address <= result.back().address + result.back().bytes.size() + page;
    if (!near) {
      result.push_back(std::move(blob));
      continue;
    }
    MemoryBlob& before = result.back();
    const u64 offset = blob.address - before.address;
    before.bytes.resize(std::max<u64>(before.bytes.size(), offset + blob.bytes.size()));
    std::copy(blob.bytes.begin(), blob.bytes.end(), before.bytes.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  return result;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string memory_file(const MemoryBlob& blob) { return fmt::format("memory_{:x}.bin", blob.address); }
std::string kernel_file(const MemoryView& image) { return fmt::format("kernel_{:x}.img", image.address); }

constexpr const char* made_by = "Made by butterfly-vp compile: do not edit.";

/// The files that a program is built with.
class ProgramText {
 public:
  ProgramText(const CompiledNetwork& network, const std::vector<MemoryBlob>& memory)
      : network_(network), memory_(memory) {}

  /// Addresses and sizes, for C.
  [[nodiscard]] std::string header() const {
    std::string text = fmt::format("/* {} */\n#ifndef BVP_NETWORK_H\n#define BVP_NETWORK_H\n\n", made_by);
    const auto define = [&](const std::string& name, u64 value) {
      text += fmt::format("#define NETWORK_{} {:#x}ull\n", name, value);
    };
    text += "/* struct bvp_network_header, and the first byte behind all that the network uses */\n";
    define("DESCRIPTOR", network_.descriptor);
    define("END", network_.end);
    text += "\n/* row-major matrices of fp16; PITCH: bytes from row to row */\n";
    for (const NamedPlace& each : places_of(network_)) {
      const std::string name = upper(each.name);
      define(name + "_ADDRESS", each.place.address);
      define(name + "_ROWS", each.place.rows);
      define(name + "_COLUMNS", each.place.columns);
      define(name + "_PITCH", each.place.pitch);
    }
    if (network_.tokens.count > 0) {
      text += "\n/* token ids, uint32_t */\n";
      define("TOKENS_ADDRESS", network_.tokens.address);
      define("TOKENS_COUNT", network_.tokens.count);
    }
    text += "\n/* kernel images */\n";
    const std::vector<MemoryView> images = kernel_images(network_);
    define("KERNELS", images.size());
    for (std::size_t i = 0; i < images.size(); ++i) {
      define(fmt::format("KERNEL_{}_ADDRESS", i), images[i].address);
      define(fmt::format("KERNEL_{}_BYTES", i), images[i].size);
    }
    return text + "\n#endif\n";
  }

  /// The contents of the memory as sections of their own.
  [[nodiscard]] std::string assembler() const {
    std::string text = fmt::format("/* {} */\n", made_by);
    for (std::size_t i = 0; i < memory_.size(); ++i) {
      text += fmt::format(".section .bvp.network.{}, \"aw\", @progbits\n.incbin \"{}\"\n", i, memory_file(memory_[i]));
    }
    return text;
  }

  /// Places these sections; the linker gets this script behind that of the program (-T link.ld -T network.ld).
  [[nodiscard]] std::string linker_script() const {
    std::string phdrs, sections;
    for (std::size_t i = 0; i < memory_.size(); ++i) {
      phdrs += fmt::format("  network{} PT_LOAD FLAGS(6);\n", i);
      sections += fmt::format("  .bvp.network.{} {:#x} : {{ KEEP(*(.bvp.network.{})) }} : network{}\n", i,
                              memory_[i].address, i, i);
    }
    return fmt::format("/* {} */\nPHDRS\n{{\n{}}}\nSECTIONS\n{{\n{}}}\n", made_by, phdrs, sections);
  }

 private:
  const CompiledNetwork& network_;
  const std::vector<MemoryBlob>& memory_;
};

Json machine_json(const Scenario& scenario) {
  const MachineShape shape = scenario.soc.shape();
  return {{"rows", shape.rows},
          {"columns", shape.columns},
          {"lanes", shape.lanes},
          {"operand_vectors", shape.operand_vectors},
          {"accumulators", shape.accumulators},
          {"instruction_store", shape.instruction_store},
          {"scratchpad_bytes", shape.scratchpad_bytes},
          {"dram_bytes", shape.dram_bytes},
          {"dma_channels", shape.dma_channels}};
}

/// Each image with the launches of it.
Json kernels_json(const CompiledNetwork& network) {
  std::map<u64, Json> launches;
  const std::vector<Step> steps = steps_of(network);
  const NetworkHeader header = header_of(network);
  const std::optional<MemoryView> tasks = memory_at(network, header.tasks, header.task_count * sizeof(Task));
  for (const KernelInfo& kernel : network.kernels) {
    Task task{};
    std::memcpy(&task, tasks->bytes + kernel.step.task * sizeof(Task), sizeof(Task));
    const Step& step = steps.at(task.first_step + kernel.step.step);
    launches[step.command.image].push_back({{"name", kernel.name},
                                            {"task", kernel.step.task},
                                            {"step", kernel.step.step},
                                            {"mapping", kernel.mapping},
                                            {"predicted_cycles", kernel.predicted_cycles}});
  }
  Json all = Json::array();
  for (const MemoryView& image : kernel_images(network)) {
    all.push_back({{"file", kernel_file(image)},
                   {"address", image.address},
                   {"bytes", image.size},
                   {"launches", launches[image.address]}});
  }
  return all;
}

Json manifest_of(const Scenario& scenario, const CompiledNetwork& network, const std::vector<MemoryBlob>& memory) {
  Json manifest{{"seal", nullptr},
                {"scenario", scenario.name.get()},
                {"data", scenario.run.data.get()},
                {"machine", machine_json(scenario)},
                {"descriptor", network.descriptor},
                {"end", network.end}};
  manifest["memory"] = Json::array();
  for (const MemoryBlob& blob : memory) {
    manifest["memory"].push_back(
        {{"file", memory_file(blob)}, {"address", blob.address}, {"bytes", blob.bytes.size()}});
  }
  for (const NamedPlace& each : places_of(network)) {
    manifest["matrices"][each.name] = {{"address", each.place.address},
                                       {"rows", each.place.rows},
                                       {"columns", each.place.columns},
                                       {"pitch", each.place.pitch}};
  }
  if (network.tokens.count > 0) {
    manifest["tokens"] = {{"address", network.tokens.address}, {"count", network.tokens.count}};
  }
  manifest["tasks"] = Json::array();
  for (const TaskInfo& task : network.tasks) {
    manifest["tasks"].push_back({{"name", task.name},
                                 {"layer", task.layer == layer_none ? Json(nullptr) : Json(task.layer)},
                                 {"tiles", task.tile_counts},
                                 {"predicted_cycles", task.predicted_cycles}});
  }
  manifest["kernels"] = kernels_json(network);
  return manifest;
}

std::string_view text_of(const u8* bytes, u64 size) { return {reinterpret_cast<const char*>(bytes), size}; }

int compile_command(const Given& given) {
  const auto scenario = read_scenario(scenario_file(given.scenario), scenario_options(parse_overrides(given.sets)));
  if (!scenario->run.dataset.get().empty()) {
    throw InputError(about_key(*scenario, "run.dataset", "a compiled network is one for a single batch; leave it out"));
  }
  check_machine(*scenario);
  MadeFiles files(given.directory, "manifest.json");
  const InputFiles inputs = inputs_of(*scenario);
  files.check(inputs);
  const RunInputs run = read_inputs(*scenario);
  for (const std::string& note : run.notes) say(fmt::format("note: {}\n", note));
  const CompiledNetwork& network = run.compiled;
  std::vector<MemoryBlob> memory = network.blobs;
  for (MemoryBlob& blob : input_memory(run, scenario->run.data)) memory.push_back(std::move(blob));
  memory = joined(std::move(memory));
  const ProgramText program(network, memory);
  const std::string header = program.header(), assembler = program.assembler(), script = program.linker_script();
  files.add("network.h", header);
  files.add("network.S", assembler);
  files.add("network.ld", script);
  for (const MemoryBlob& blob : memory) files.add(memory_file(blob), text_of(blob.bytes.data(), blob.bytes.size()));
  const std::vector<MemoryView> images = kernel_images(network);
  for (const MemoryView& image : images) files.add(kernel_file(image), text_of(image.bytes, image.size));
  files.commit(manifest_of(*scenario, network, memory), inputs);
  u64 bytes = 0;
  for (const MemoryBlob& blob : memory) bytes += blob.bytes.size();
  fmt::print("{}: {} tasks, {} kernel images, {} bytes of memory\n", given.directory, network.tasks.size(),
             images.size(), bytes);
  return exit_passed;
}

}  // namespace

void add_compile_command(CommandLine& line) {
  const auto given = std::make_shared<Given>();
  CLI::App& app =
      *line.app.add_subcommand("compile", "Leave what the compiler makes of a network, for firmware of your own");
  app.add_option("scenario", given->scenario, scenario_help)->required()->type_name("SCENARIO")->check(not_empty());
  app.add_option("--out", given->directory,
                 "Directory for kernel images, memory contents, their manifest, and a header for C")
      ->required()
      ->check(not_empty())
      ->type_name("DIR");
  add_set_option(app, given->sets);
  app.final_callback([&line, given] { line.selected = [given] { return compile_command(*given); }; });
}

}  // namespace bvp
