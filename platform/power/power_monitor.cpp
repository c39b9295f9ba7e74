// SPDX-License-Identifier: Apache-2.0
#include "platform/power/power_monitor.h"

#include <utility>

#include "platform/power/soc_estimators.h"

namespace bvp {

PowerMonitor::PowerMonitor(Soc& soc, const EnergyTable& table, const MachineSize& size, double clock_hz)
    : soc_(soc),
      clock_hz_(clock_hz),
      pes_(static_cast<double>(size.pes)),
      sampler_(attach_estimators(soc)),
      prices_(table, size, sampler_) {
  trace_.components = prices_.components();
  take(last_);
}

void PowerMonitor::take(Sample& sample) {
  soc_.settle_statistics();
  sample.cycle = soc_.clock().now();
  sampler_.sample(sample.actions);
  sample.dram_read = soc_.dram.statistics().bytes_read.value();
  sample.dram_written = soc_.dram.statistics().bytes_written.value();
  sample.issue = {};
  for (const PeCore* pe : soc_.cores) {
    for (std::size_t i = 0; i < unit_count; ++i) sample.issue[i] += pe->issue_slots(static_cast<Unit>(i));
  }
}

void PowerMonitor::close_window() {
  take(now_);
  if (now_.cycle == last_.cycle) return;
  const Cycle cycles = now_.cycle - last_.cycle;
  PowerWindow window;
  window.begin_s = static_cast<double>(last_.cycle) / clock_hz_;
  window.end_s = static_cast<double>(now_.cycle) / clock_hz_;
  window.energy_j = prices_.energy(last_.actions, now_.actions, cycles, clock_hz_);
  window.dram_read_bytes = now_.dram_read - last_.dram_read;
  window.dram_written_bytes = now_.dram_written - last_.dram_written;
  for (std::size_t i = 0; i < unit_count; ++i) {
    window.utilisation[i] = static_cast<double>(now_.issue[i] - last_.issue[i]) / (static_cast<double>(cycles) * pes_);
  }
  trace_.add(std::move(window), 1 / clock_hz_);
  std::swap(last_, now_);
}

}  // namespace bvp
