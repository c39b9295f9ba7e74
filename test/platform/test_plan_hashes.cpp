// SPDX-License-Identifier: Apache-2.0
// One number for what the compiler leaves of a network. A change that is meant to move no plan leaves all of them as
// they are: `test_plan_hashes "[plans]"` before and after it, and `diff`.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "platform/network/weights.h"
#include "platform/run/compile_scenario.h"
#include "platform/support/input_error.h"
#include "platform/support/resources.h"
#include "platform/support/sha256.h"
#include "test/support/random_case.h"

namespace {

using namespace bvp;

void add(std::string& text, const MatrixPlace& place) {
  text += fmt::format("{:x} {} {} {}\n", place.address, place.rows, place.columns, place.pitch);
}

/// Folds memory contents (kernel images, weights, tables of tasks and steps) and what reports read.
std::string hash_of(const CompiledNetwork& network) {
  std::string text;
  for (const MemoryBlob& blob : network.blobs) {
    text += fmt::format("{:x} {}\n", blob.address, blob.bytes.size());
    text.append(blob.bytes.begin(), blob.bytes.end());
  }
  for (const MatrixPlace& place : network.layer_outputs) add(text, place);
  for (const MatrixPlace& place : {network.input, network.output, network.logits}) add(text, place);
  text += fmt::format("{:x} {:x} {:x} {} {} {}\n", network.descriptor, network.end, network.tokens.address,
                      network.tokens.count, network.key_block, network.sum_ways);
  text += fmt::format("{} {}\n", network.reductions.normalised, network.reductions.not_normalised_because);
  for (const TaskInfo& task : network.tasks) {
    text += fmt::format("{} {} {} {} {} {} {} {} {} {}\n", task.name, task.layer, task.tiles,
                        fmt::join(task.tile_counts, "x"), task.tile_rows, task.scratchpad_bytes, task.weight_bytes,
                        task.dram_read_bytes, task.dram_write_bytes, task.predicted_cycles);
  }
  for (const KernelInfo& kernel : network.kernels) {
    text += fmt::format("{} {} {} {} {} {} {} {} {} {} {}\n", kernel.name, tag_of(kernel.step), kernel.layer,
                        kernel.instructions, kernel.segments, kernel.image_bytes, kernel.predicted_cycles,
                        kernel.mapping, kernel.half_register, kernel.half_register_value, kernel.results.size());
    for (const KernelResult& result : kernel.results) {
      text += fmt::format("{} {} {} {} {} {} {}\n", result.offset, result.layout.rows, result.layout.transposed,
                          result.rows.of_tile, result.rows.all, result.columns.of_tile, result.columns.all);
    }
  }
  return sha256_of(text).substr(0, 16);
}

std::string hash_of(const Scenario& scenario) {
  try {
    const TensorMap weights = scenario.run.data
                                  ? random_weights(scenario.network, static_cast<u64>(scenario.run.seed.get()))
                                  : weight_shapes(scenario.network);
    return hash_of(compile_scenario(scenario, weights));
  } catch (const InputError& error) {
    return sha256_of(error.what()).substr(0, 16) + " (refused)";
  }
}

void print_random(u64 first, u64 end, bool least_scratchpad) {
  for (u64 number = first; number < end; ++number) {
    const test::RandomCase random(number, least_scratchpad);
    ScenarioOptions options;
    for (const std::string& setting : random.settings()) options.overrides.push_back(parse_override(setting));
    const auto scenario = read_scenario_text(random.network(), "random.yaml", options);
    fmt::print("random {} {}\n", number, hash_of(*scenario));
  }
}

}  // namespace

TEST_CASE("hashes of the plans of shipped scenarios and of random networks", "[.][plans]") {
  const auto directory = find_resource("scenarios");
  REQUIRE(directory.has_value());
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(*directory)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    // Weights differ from layer to layer, but not the way in which they are laid out.
    for (const char* variant : {"run.data=true", "run.data=false"}) {
      ScenarioOptions options;
      options.overrides.push_back(parse_override(variant));
      fmt::print("{} {} {}\n", file.stem().string(), variant, hash_of(*read_scenario(file, options)));
    }
  }
  print_random(0, 100, false);
  print_random(1000, 1040, true);
}
