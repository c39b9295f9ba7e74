// SPDX-License-Identifier: Apache-2.0
// The choices of the planner.
#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "platform/compiler/kernels/product_kernel.h"
#include "platform/run/compile_scenario.h"
#include "platform/run/run.h"
#include "platform/scenario/scenario.h"
#include "platform/support/resources.h"

namespace {

using namespace bvp;

std::unique_ptr<Scenario> scenario_of(const std::string& shipped, const std::vector<std::string>& settings) {
  const auto directory = find_resource("scenarios");
  REQUIRE(directory.has_value());
  ScenarioOptions options;
  for (const std::string& setting : settings) options.overrides.push_back(parse_override(setting));
  return read_scenario((*directory / shipped).string() + ".yaml", options);
}

const TaskInfo& task_of(const CompiledNetwork& network, const std::string& name) {
  const auto found =
      std::find_if(network.tasks.begin(), network.tasks.end(), [&](const TaskInfo& task) { return task.name == name; });
  REQUIRE(found != network.tasks.end());
  return *found;
}

}  // namespace

TEST_CASE("attention with few lanes does not take a DRAM access for each vector", "[planner]") {
  // Rows of a head have 128 bytes, less than a burst; each would take eight accesses instead of two.
  const auto scenario =
      scenario_of("encoder_128x64", {"soc.array.lanes=8", "network.tokens=512", "network.hidden=512", "network.heads=8",
                                     "network.layers=[{mixing: attention, projections: butterfly, ffn: butterfly}]"});
  const RunResult result = run_scenario(*scenario, {});
  CHECK(result.failure.empty());
  CHECK(result.verification.bit_exact);
  const auto& dram = result.records.statistics.at("dram");
  const u64 accesses = dram.at("read_64b").get<u64>() + dram.at("write_64b").get<u64>();
  CHECK(accesses * 64 < (result.work.dram_read_bytes + result.work.dram_written_bytes) * 21 / 20);
  // The plan says what is moved, whatever the order.
  u64 read = result.records.statistics.at("sequencer").at("ring_fetch_bytes"), written = 0;
  for (const TaskInfo& task : plan_scenario(*scenario).tasks) {
    read += task.dram_read_bytes;
    written += task.dram_write_bytes;
  }
  CHECK(result.work.dram_read_bytes == read);
  CHECK(result.work.dram_written_bytes == written);
}

TEST_CASE("products are divided so that all PEs have something to do", "[planner]") {
  // Four lane groups, 16 outputs: as one block each they are four instances, for four PEs.
  const CompilerTarget target;
  ProductSpec spec;
  spec.terms = 128;
  spec.outputs = 16;
  const ProductKernel kernel = make_product_kernel(target, spec, 4);
  CHECK(kernel.outputs_per_instance == 4);
  CHECK(kernel.shared_by[0] * kernel.shared_by[1] * kernel.shared_by[2] == 16);
  // If the largest block keeps all PEs busy, it is chosen, because it needs the fewest loads.
  CHECK(make_product_kernel(target, spec, 16).outputs_per_instance == 16);
}

TEST_CASE("weights of the next task do not multiply the traffic of attention", "[planner]") {
  // The rows that follow a layer's attention go on into the next layer, whose weights share a half with the tiles.
  const auto attention = [](const char* depth) {
    const auto scenario =
        scenario_of("long_document", {"network.variant=butterfly_linear", depth, "soc.array.lanes=8"});
    return task_of(plan_scenario(*scenario), "layers.0.attention.core");
  };
  const TaskInfo alone = attention("network.depth=1"), followed = attention("network.depth=2");
  CHECK(followed.dram_read_bytes < alone.dram_read_bytes * 21 / 20);
}

TEST_CASE("fewer weights in a half leave more of it to tiles", "[planner]") {
  // With the weights of all the layer's matrices at once, tiles of attention are small and read 48 MB.
  const CompiledNetwork network =
      plan_scenario(*scenario_of("encoder_1024x512", {"soc.scratchpad.size_bytes=1048576", "compiler.pruning=false"}));
  u64 read = 0;
  for (const TaskInfo& task : network.tasks) read += task.dram_read_bytes;
  CHECK(read < 40'000'000);
}
