// SPDX-License-Identifier: Apache-2.0
#include "platform/run/compile_scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "models/memory/policies/address_map.h"
#include "platform/compiler/planner.h"
#include "platform/network/weights.h"
#include "platform/soc/memory_map.h"
#include "platform/support/input_error.h"

namespace bvp {
namespace {

FftChoice fft_choice(const std::string& word) {
  if (word == "complex") return FftChoice::complex;
  return word == "real" ? FftChoice::real : FftChoice::cheaper;
}

CompilerTarget target_of(const Scenario& scenario) {
  CompilerTarget target;
  const SocParameters& soc = scenario.soc;
  static_cast<MachineShape&>(target) = soc.shape();
  target.column_access = soc.scratchpad.column_access;
  target.data = scenario.run.data;
  target.fusion = scenario.compiler.fusion;
  target.layer_overlap = scenario.compiler.layer_overlap;
  target.streaming = scenario.compiler.streaming;
  target.contexts = target.in_flight(soc.pe.contexts.as<u32>());
  target.ping_pong = scenario.compiler.ping_pong;
  target.weight_residency = scenario.compiler.weight_residency;
  target.exchange_by_half = scenario.compiler.exchange_by_half;
  const bool published = scenario.compiler.method.get() == "published";
  target.residency = scenario.compiler.residency && !published;
  target.fft = fft_choice(published ? "complex" : scenario.compiler.fft.get());
  target.pruning = scenario.compiler.pruning && !published;
  target.normalised = scenario.compiler.butterflies.get() == "normalised" && !published;
  target.twiddle_ratios = scenario.compiler.twiddles.get() == "ratios" && !published && soc.pe.swapping_fma;
  target.cal = cal_timing(soc.pe, target.lanes);
  target.stage_points = scenario.compiler.stage_points.as<u32>();
  target.tile_rows = scenario.compiler.tile_rows.as<u32>();
  target.scratchpad_base = memory_map::scratchpad_base;
  target.dram_base = memory_map::dram_base;
  const double dram_clocks_per_cycle = soc.dram.geometry.clock_hz.get() / soc.array.clock_hz.get();
  target.transfers.dram_bytes_per_cycle = std::min(soc.dram.geometry.bytes_per_clock() * dram_clocks_per_cycle,
                                                   static_cast<double>(soc.dma.bytes_per_cycle.get()));
  target.transfers.dram_access_bytes = static_cast<u32>(dram_access_bytes);
  // A burst crosses the bus twice, and its data take time on the bus and in the scratchpad.
  const i64 burst_cycles = soc.dma.burst_bytes / soc.dma.bytes_per_cycle;
  const auto on_the_way =
      static_cast<double>(2 * (soc.bus.request_latency + soc.bus.response_latency) + soc.scratchpad.request_latency +
                          soc.scratchpad.array_latency + 2 * burst_cycles);
  const i64 to_data = soc.dram.request_latency + soc.dram.timing.activate_to_column + soc.dram.timing.read_latency;
  target.transfers.read_latency =
      static_cast<double>(to_data + soc.dram.response_latency) / dram_clocks_per_cycle + on_the_way;
  target.transfers.write_latency = static_cast<double>(to_data) / dram_clocks_per_cycle + on_the_way;
  target.transfers.channel_bytes_per_cycle = soc.dma.bytes_per_cycle.as<u32>();
  target.transfers.burst_bytes = soc.dma.burst_bytes.as<u32>();
  target.transfers.outstanding = soc.dma.outstanding.as<u32>();
  target.transfers.setup_cycles = soc.dma.setup_cycles.as<u32>();
  target.transfers.index_entries = soc.dma.index_entries.as<u32>();
  target.launches.cycles = static_cast<u32>(soc.sequencer.dispatch_cycles + soc.sequencer.launch_cycles);
  target.launches.image_bytes_per_cycle =
      static_cast<double>(soc.sequencer.outstanding_bursts * soc.sequencer.burst_bytes) / target.transfers.read_latency;
  target.launches.config_bytes_per_cycle = soc.sequencer.config_bytes_per_cycle.as<u32>();
  const double cycles_per_instruction = soc.cpu.cycles_per_instruction * soc.array.clock_hz / soc.cpu.clock_hz;
  target.firmware.command_cycles = firmware_instructions::command * cycles_per_instruction;
  target.firmware.start_cycles = firmware_instructions::start * cycles_per_instruction;
  target.firmware.end_cycles = firmware_instructions::end * cycles_per_instruction;
  return target;
}

/// Selects the given keys that the message contains as whole words.
std::vector<std::string> given_keys_in(const std::string& message, const Scenario& scenario) {
  const auto in_key = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  std::vector<std::string> keys;
  for (const auto& [key, where] : scenario.given) {
    const std::size_t at = message.find(key), end = at + key.size();
    if (at != std::string::npos && (end == message.size() || !in_key(message[end]))) keys.push_back(key);
  }
  return keys;
}

/// The place of the value that the message is about: on the command line or, if the message is about one value alone,
/// in a file; otherwise the scenario's file.
std::string place_of(const std::string& message, const Scenario& scenario) {
  const std::vector<std::string> keys = given_keys_in(message, scenario);
  for (const std::string& key : keys) {
    const std::string& where = scenario.given.at(key);
    if (where.compare(0, 2, "--") == 0) return where;
  }
  return keys.size() == 1 ? scenario.given.at(keys.front()) : file_of(scenario);
}

/// Returns "raise KEY" if a part of a PE is too small for the network's kernels.
struct PePart {
  const char* key;
  u32 MachineShape::*size;
  Param<i64> PeParameters::*parameter;
};
constexpr PePart pe_parts[] = {
    {"soc.pe.instruction_store", &MachineShape::instruction_store, &PeParameters::instruction_store},
    {"soc.pe.operand_vectors", &MachineShape::operand_vectors, &PeParameters::operand_vectors},
    {"soc.pe.accumulators", &MachineShape::accumulators, &PeParameters::accumulators}};

/// Plans the network. @return the reason of the failure; empty if there was none
std::string plan_error(const CompilerTarget& target, const Network& network, CompiledNetwork& plan) {
  try {
    plan = compile_network(target, network, weight_shapes(network));
    return {};
  } catch (const CompileError& error) {
    return error.what();
  }
}

/// The smallest size with which the part is no longer too small; nullopt if no size that can be configured is enough.
std::optional<u64> enough_of(const PePart& part, CompilerTarget target, const Scenario& scenario) {
  const auto is_enough = [&](u32 size) {
    target.*part.size = size;
    CompiledNetwork ignored;
    return plan_error(target, scenario.network, ignored).find(part.key) == std::string::npos;
  };
  u32 too_small = target.*part.size;
  auto enough = static_cast<u32>((scenario.soc.pe.*part.parameter).range().max);
  if (!is_enough(enough)) return std::nullopt;
  while (enough - too_small > 1) {
    const u32 middle = too_small + (enough - too_small) / 2;
    (is_enough(middle) ? enough : too_small) = middle;
  }
  return enough;
}

/// The bytes that the whole network needs; nullopt if they exceed the address range.
std::optional<u64> dram_bytes_needed(CompilerTarget target, const Network& network) {
  target.dram_bytes = memory_map::dram_span;
  CompiledNetwork plan;
  if (!plan_error(target, network, plan).empty()) return std::nullopt;
  return plan.end - target.dram_base;
}

/// If the message says "raise KEY", adds the smallest value that is enough, if there is one.
std::string with_least_value(std::string message, CompilerTarget target, const Scenario& scenario) {
  target.data = false;
  const auto complete = [&](const std::string& key, const auto& least) {
    const std::string advice = "raise " + key;
    const std::size_t at = message.find(advice);
    if (at == std::string::npos) return;
    if (const std::optional<u64> value = least()) message.insert(at + advice.size(), fmt::format(" to {}", *value));
  };
  for (const PePart& part : pe_parts) complete(part.key, [&] { return enough_of(part, target, scenario); });
  complete("soc.dram.size_bytes", [&] { return dram_bytes_needed(target, scenario.network); });
  return message;
}

/// @throws CompileError  an image is larger than the sequencer takes
void check_images(const Scenario& scenario, const CompiledNetwork& network) {
  const auto most = static_cast<u64>(scenario.soc.sequencer.max_image_bytes);
  if (network.largest_image_bytes <= most) return;
  throw CompileError(
      fmt::format("a kernel image has {} bytes, the sequencer takes {} (raise soc.sequencer.max_image_bytes to {})",
                  network.largest_image_bytes, most, network.largest_image_bytes));
}

CompiledNetwork compile(const Scenario& scenario, const CompilerTarget& target, const TensorMap& weights) {
  try {
    CompiledNetwork network = compile_network(target, scenario.network, weights);
    check_images(scenario, network);
    return network;
  } catch (const CompileError& error) {
    const std::string message = with_least_value(error.what(), target, scenario);
    throw InputError(fmt::format("{}: {}", place_of(message, scenario), message));
  }
}

/// Whether both compute each value by the same operations in the same order.
bool same_orders(const CompiledNetwork& a, const CompiledNetwork& b) {
  const auto orders = [](const CompiledNetwork& network) {
    return std::tie(network.key_block, network.query_blocks, network.sum_ways, network.fft, network.exact.tokens,
                    network.exact.hidden, network.reductions.normalised, network.reductions.twiddle_ratios);
  };
  return orders(a) == orders(b);
}

CompiledNetwork compile_for_fewer_rows(const Scenario& scenario, bool data, const TensorMap& weights,
                                       const CompiledNetwork& network) {
  const auto refuse = [&](const std::string& why) { return InputError(about_key(scenario, "run.spare_images", why)); };
  CompilerTarget target = target_of(scenario);
  if (target.usable_rows() < 2) {
    throw refuse(
        fmt::format("the network runs on one row of PEs (soc.array.rows is {}), so that none can be left out; "
                    "expected an array of at least 2 rows, or false here",
                    target.rows));
  }
  target.rows = target.usable_rows() / 2;
  target.data = data;
  if (network.fft != FftForm::none) target.fft = network.fft == FftForm::real ? FftChoice::real : FftChoice::complex;
  target.normalised = network.reductions.normalised;
  target.fixed = FixedOrders{network.key_block, network.query_blocks, network.exact};
  try {
    CompiledNetwork spare = compile_network(target, scenario.network, weights, &network);
    check_images(scenario, spare);
    if (!same_orders(network, spare)) throw CompileError("its results would have other bits there");
    return spare;
  } catch (const CompileError& error) {
    throw refuse(
        fmt::format("the network cannot be compiled for {} of {} rows of PEs: {}; expected false, or a machine "
                    "on which it can",
                    target.rows, scenario.soc.shape().rows, error.what()));
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

CompiledNetwork compile_spare(const Scenario& scenario, const TensorMap& weights, const CompiledNetwork& network) {
  return compile_for_fewer_rows(scenario, scenario.run.data, weights, network);
}

CompiledNetwork plan_spare(const Scenario& scenario, const CompiledNetwork& network) {
  return compile_for_fewer_rows(scenario, false, weight_shapes(scenario.network), network);
}

}  // namespace bvp
