// SPDX-License-Identifier: Apache-2.0
#include "platform/run/busy_shares.h"

#include <algorithm>

namespace bvp {

std::map<std::string, double> busy_shares(const Soc& soc, const SocParameters& parameters, u64 cycles,
                                          const std::map<std::string, CycleBreakdown>& units) {
  std::map<std::string, double> shares;
  if (cycles == 0) return shares;
  const auto all_cycles = static_cast<double>(cycles);
  const double seconds = all_cycles / soc.clock().hertz();
  const auto value = [](const StatGroup& group, const char* counter) {
    return static_cast<double>(group.counter(counter).value());
  };

  const double cpu_cycles = seconds / soc.cpu.period().to_seconds();
  shares["cpu"] = std::max(0.0, 1 - static_cast<double>(soc.cpu.sleep_cycles()) / cpu_cycles);
  for (const StatGroup* channel : soc.statistics().child("dma").children()) {
    shares["dma." + channel->name()] = value(*channel, "busy_cycles") / all_cycles;
  }
  const StatGroup& dram = soc.statistics().child("dram");
  shares["dram.data_bus"] = (value(dram, "read_64b") + value(dram, "write_64b")) /
                            (soc.dram.accesses_per_clock() * soc.dram.clock().hertz() * seconds);
  const auto bus_width = static_cast<double>(parameters.bus.bytes_per_cycle.get());
  for (const char* target : {"dram", "scratchpad"}) {
    const StatGroup& port = soc.statistics().child("bus").child(std::string("to_") + target);
    shares[std::string("bus.to_") + target] = value(port, "bytes") / bus_width / all_cycles;
  }
  shares["sequencer.configuration"] = value(soc.statistics().child("sequencer"), "config") / all_cycles;
  if (soc.monitors) {
    const StatGroup& rows = soc.monitors->stats.child("scratchpad");
    shares["scratchpad.banks"] =
        (value(rows, "row_read") + value(rows, "row_write")) / soc.scratchpad.rows_per_cycle() / all_cycles;
  }
  if (!soc.lockstep) {
    u64 most = 0;
    for (u32 y = 0; y < soc.shape().rows; ++y) {
      for (u32 x = 0; x < soc.shape().columns; ++x) {
        for (std::size_t link = 0; link < link_direction_count; ++link) {
          most = std::max(most, soc.mesh.link_vectors(x, y, static_cast<LinkDirection>(link)));
        }
      }
    }
    shares["mesh.busiest_link"] = static_cast<double>(most * soc.mesh.vector_cycles()) / all_cycles;
  }
  for (const auto& [unit, breakdown] : units) {
    u64 busy = 0, all = 0;
    for (const auto& [reason, count] : breakdown) {
      all += count;
      if (reason == "issue" || reason == "special_function" || reason == "stall") busy += count;
    }
    shares["pe." + unit] = all == 0 ? 0.0 : static_cast<double>(busy) / static_cast<double>(all);
  }
  return shares;
}

}  // namespace bvp
