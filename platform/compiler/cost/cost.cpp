// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/cost/cost.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "models/abi/image_header.h"
#include "platform/compiler/cost/issue_slowdown.h"

namespace bvp {

namespace {

/// From the PEs' start to the first Cal segment, and from the last one to the completion: an estimate from runs of the
/// default array.
constexpr u64 array_way_cycles = 106;
/// From a tile's last result to the first command of the next task's first tile, through DMA and DRAM: an estimate from
/// runs of the default SoC.
constexpr u64 task_overhead_cycles = 500;
/// How much longer a DMA burst takes where the DRAM is busy all the time: from runs of the default SoC too.
constexpr double contention = 1.2;
/// The share of the DRAM's bandwidth that is left after refresh, opening of rows and turning of the bus: long DMA
/// transfers of the default SoC reach from 0.80 to 0.95.
constexpr double dram_efficiency = 0.87;

/// The cycles in which the DRAM is busy with a tile.
double dram_cycles(const CompilerTarget& target, const TileCost& cost) {
  return static_cast<double>(cost.accessed_bytes) / (dram_efficiency * target.transfers.dram_bytes_per_cycle);
}

}  // namespace

KernelTimes kernel_times(const CompilerTarget& target, const Kernel& kernel) {
  KernelTimes times;
  for (std::size_t level = 0; level < instance_levels; ++level) times.steps[level] = kernel.levels[level].step;
  for (const Segment& segment : kernel.segments) {
    u64 of_code = 0;
    std::vector<Instruction> code;
    for (unsigned i = 0; i < segment.instruction_count; ++i) {
      const auto instruction = Instruction::decode(kernel.code[segment.first_instruction + i]);
      if (!instruction) continue;
      of_code += issue_interval(target.cal, segment, *instruction);
      code.push_back(*instruction);
    }
    auto cycles = static_cast<double>(of_code);
    for (const u16 count : segment.trips) cycles *= count;
    if (segment.unit == Unit::cal) cycles *= issue_slowdown(target, kernel, segment, code);
    times.firings.push_back({segment.unit, segment.scope, cycles});
  }
  return times;
}

std::array<u64, unit_count> unit_cycles(const KernelTimes& times, const std::array<u32, instance_levels>& counts) {
  std::array<u64, instance_levels + 1> firings{};
  firings[0] = 1;
  for (std::size_t level = 0; level < instance_levels; ++level) {
    const u32 step = times.steps[level];
    firings[level + 1] = firings[level] * ((counts[level] + step - 1) / step);
  }
  std::array<double, unit_count> busy{};
  for (const KernelTimes::Firing& firing : times.firings) {
    busy[static_cast<std::size_t>(firing.unit)] += static_cast<double>(firings[firing.scope]) * firing.cycles;
  }
  std::array<u64, unit_count> cycles{};
  for (std::size_t unit = 0; unit < unit_count; ++unit) cycles[unit] = static_cast<u64>(std::llround(busy[unit]));
  return cycles;
}

u64 launch_cycles(const CompilerTarget& target, const KernelTimes& times,
                  const std::array<u32, instance_levels>& counts) {
  const auto cycles = unit_cycles(times, counts);
  return *std::max_element(cycles.begin(), cycles.end()) + target.launches.cycles + array_way_cycles;
}

u64 preparation_cycles(const CompilerTarget& target, const Kernel& kernel) {
  const std::vector<u8> image = kernel.encode();
  ImageHeader header;
  std::memcpy(&header, image.data(), sizeof(header));
  const u64 pes = u64{header.pe_rows} * header.pe_columns;
  const double read =
      target.transfers.read_latency + static_cast<double>(image.size()) / target.launches.image_bytes_per_cycle;
  return static_cast<u64>(read) +
         (header.common_bytes + pes * header.per_pe_bytes) / target.launches.config_bytes_per_cycle;
}

u64 transfer_cycles(const CompilerTarget& target, u64 bytes, u64 dram_run, u64 other_run, bool read) {
  const u64 burst_bytes = std::min<u64>(target.transfers.burst_bytes, std::max(dram_run, other_run));
  const auto burst = static_cast<double>(burst_bytes);
  const auto accessed = static_cast<double>(accessed_bytes(target, burst_bytes, dram_run));
  const double requests = std::max(1.0, burst / static_cast<double>(std::min(dram_run, other_run)));
  const double of_dram = accessed / (dram_efficiency * target.transfers.dram_bytes_per_cycle);
  const double idle_latency = read ? target.transfers.read_latency : target.transfers.write_latency;
  const double dram_share = std::min(1.0, of_dram * target.transfers.outstanding / idle_latency);
  const double latency = idle_latency * (1 + (contention - 1) * dram_share);
  const double of_burst = std::max({of_dram, latency / target.transfers.outstanding, requests});
  // A descriptor begins when the one before has ended.
  return static_cast<u64>(static_cast<double>(bytes) / burst * of_burst + latency) + target.transfers.setup_cycles;
}

u64 accessed_bytes(const CompilerTarget& target, u64 bytes, u64 dram_run) {
  const auto whole = [&](u64 piece) {
    return (piece + target.transfers.dram_access_bytes - 1) / target.transfers.dram_access_bytes *
           target.transfers.dram_access_bytes;
  };
  const u64 run = std::min(bytes, dram_run), burst = target.transfers.burst_bytes;
  const u64 of_run = run / burst * whole(burst) + whole(run % burst);
  return bytes / run * of_run + whole(bytes % run);
}

u64 task_cycles(const CompilerTarget& target, const TileCost& cost) {
  const u64 moving = cost.load_cycles + cost.store_cycles;
  const auto commanding = static_cast<u64>(static_cast<double>(cost.commands) * target.firmware.command_cycles);
  const u64 busy = target.ping_pong
                       ? std::max({cost.compute_cycles, moving, static_cast<u64>(dram_cycles(target, cost))})
                       : cost.compute_cycles + moving;
  const u64 period = std::max(busy, commanding);
  return task_overhead_cycles + cost.load_cycles + cost.compute_cycles + cost.store_cycles + (cost.tiles - 1) * period;
}

u64 task_cost(const CompilerTarget& target, const TileCost& cost, double price) {
  const double traffic = static_cast<double>(cost.tiles) * dram_cycles(target, cost);
  return task_cycles(target, cost) + static_cast<u64>(price * traffic);
}

}  // namespace bvp
