// SPDX-License-Identifier: Apache-2.0
#include "platform/power/power_monitor.h"

#include "platform/power/power_states.h"
#include "platform/power/soc_estimators.h"

namespace bvp {

PowerMonitor::PowerMonitor(Soc& soc, const EnergyTable& table, const MachineSize& size, double clock_hz)
    : soc_(soc), table_(table), size_(size), clock_hz_(clock_hz), sampler_(attach_estimators(soc)) {
  last_ = sample();
}

PowerMonitor::Sample PowerMonitor::sample() {
  soc_.settle_statistics();
  Sample sample;
  sample.cycle = soc_.clock().now();
  sample.actions = sampler_.sample();
  sample.dram_read = soc_.dram.statistics().bytes_read.value();
  sample.dram_written = soc_.dram.statistics().bytes_written.value();
  for (const PeCore* pe : soc_.cores) {
    for (std::size_t i = 0; i < unit_count; ++i) sample.issue[i] += pe->issue_slots(static_cast<Unit>(i));
  }
  return sample;
}

void PowerMonitor::close_window() {
  Sample now = sample();
  if (now.cycle == last_.cycle) return;
  const auto cycles = static_cast<double>(now.cycle - last_.cycle);
  PowerWindow window;
  window.begin_s = static_cast<double>(last_.cycle) / clock_hz_;
  window.end_s = static_cast<double>(now.cycle) / clock_hz_;
  const ActionCounts counts = sampler_.between(last_.actions, now.actions);
  window.energy_j = table_.price(counts, size_);
  const ArrayTime time = array_time(counts, size_, now.cycle - last_.cycle, clock_hz_);
  for (const auto& [component, joules] : table_.static_energy(size_, time)) {
    window.energy_j[component] += joules;
  }
  window.dram_read_bytes = now.dram_read - last_.dram_read;
  window.dram_written_bytes = now.dram_written - last_.dram_written;
  for (std::size_t i = 0; i < unit_count; ++i) {
    window.utilisation[i] =
        static_cast<double>(now.issue[i] - last_.issue[i]) / (cycles * static_cast<double>(size_.pes));
  }
  windows_.push_back(std::move(window));
  last_ = std::move(now);
}

}  // namespace bvp
