// SPDX-License-Identifier: Apache-2.0
#include "platform/run/compile_scenario.h"

#include <fmt/format.h>

#include <algorithm>

#include "models/memory/dram_address_map.h"
#include "platform/compiler/planner.h"
#include "platform/network/weights.h"
#include "platform/scenario/input_error.h"
#include "platform/soc/memory_map.h"

namespace bvp {
namespace {

CompilerTarget target_of(const Scenario& scenario) {
  CompilerTarget target;
  const SocParameters& soc = scenario.soc;
  target.rows = static_cast<u32>(soc.array.rows);
  target.columns = static_cast<u32>(soc.array.columns);
  target.lanes = static_cast<u32>(soc.array.lanes);
  target.operand_vectors = static_cast<u32>(soc.pe.operand_vectors);
  target.column_access = soc.scratchpad.column_access;
  target.accumulators = static_cast<u32>(soc.pe.accumulators);
  target.instruction_store = static_cast<u32>(soc.pe.instruction_store);
  target.data = scenario.run.data;
  target.fusion = scenario.compiler.fusion;
  target.layer_overlap = scenario.compiler.layer_overlap;
  target.streaming = scenario.compiler.streaming;
  target.contexts = target.in_flight(static_cast<u32>(soc.pe.contexts));
  target.ping_pong = scenario.compiler.ping_pong;
  target.weight_residency = scenario.compiler.weight_residency;
  target.exchange_by_half = scenario.compiler.exchange_by_half;
  target.special_divisor = static_cast<u32>(soc.pe.special_divisor);
  target.cal_latency = static_cast<u32>(soc.pe.cal_latency);
  target.max_latency = static_cast<u32>(soc.pe.max_latency);
  target.stage_points = static_cast<u32>(scenario.compiler.stage_points);
  target.tile_rows = static_cast<u32>(scenario.compiler.tile_rows);
  target.scratchpad_bytes = static_cast<u64>(soc.scratchpad.size_bytes);
  target.scratchpad_base = memory_map::scratchpad_base;
  target.dram_base = memory_map::dram_base;
  target.dram_bytes = static_cast<u64>(soc.dram.size_bytes);
  const double dram_clocks_per_cycle = soc.dram.clock_hz.get() / soc.array.clock_hz.get();
  target.dram_bytes_per_cycle =
      std::min(2.0 * static_cast<double>(soc.dram.channels.get() * soc.dram.bus_bytes.get()) * dram_clocks_per_cycle,
               static_cast<double>(soc.dma.bytes_per_cycle.get()));
  target.dram_access_bytes = static_cast<u32>(dram_access_bytes);
  // A burst crosses the bus twice; its data takes its time on the bus and in the scratchpad.
  const i64 burst_cycles = soc.dma.burst_bytes / soc.dma.bytes_per_cycle;
  const auto on_the_way =
      static_cast<double>(2 * (soc.bus.request_latency + soc.bus.response_latency) + soc.scratchpad.request_latency +
                          soc.scratchpad.array_latency + 2 * burst_cycles);
  const i64 to_data = soc.dram.request_latency + soc.dram.activate_to_column + soc.dram.read_latency;
  target.read_latency = static_cast<double>(to_data + soc.dram.response_latency) / dram_clocks_per_cycle + on_the_way;
  target.write_latency = static_cast<double>(to_data) / dram_clocks_per_cycle + on_the_way;
  target.dma_burst_bytes = static_cast<u32>(soc.dma.burst_bytes);
  target.dma_outstanding = static_cast<u32>(soc.dma.outstanding);
  target.dma_channels = static_cast<u32>(soc.dma.channels);
  target.dma_setup_cycles = static_cast<u32>(soc.dma.setup_cycles);
  return target;
}

CompiledNetwork compile(const Scenario& scenario, const CompilerTarget& target, const TensorMap& weights) {
  try {
    if ((target.stage_points & (target.stage_points - 1)) != 0) {
      throw CompileError(
          fmt::format("compiler.stage_points: found {}, expected 0 or a power of two", target.stage_points));
    }
    CompiledNetwork network = compile_network(target, scenario.network, weights);
    const auto most = static_cast<u64>(scenario.soc.sequencer.max_image_bytes);
    if (network.largest_image_bytes > most) {
      throw CompileError(
          fmt::format("a kernel image has {} bytes, the sequencer takes {} (raise soc.sequencer.max_image_bytes)",
                      network.largest_image_bytes, most));
    }
    return network;
  } catch (const CompileError& error) {
    throw InputError(fmt::format("{}: {}", file_of(scenario), error.what()));
  }
}

}  // namespace

CompiledNetwork compile_scenario(const Scenario& scenario, const TensorMap& weights) {
  return compile(scenario, target_of(scenario), weights);
}

CompiledNetwork plan_scenario(const Scenario& scenario) {
  CompilerTarget target = target_of(scenario);
  target.data = false;
  return compile(scenario, target, weight_shapes(scenario.network));
}

}  // namespace bvp
