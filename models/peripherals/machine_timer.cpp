// SPDX-License-Identifier: Apache-2.0
// The machine timer's behaviour.
#include "models/peripherals/machine_timer.h"

#include <limits>

namespace bvp {
namespace {

constexpr u64 low_word = 0xffffffff;

}  // namespace

MachineTimer::MachineTimer(sc_core::sc_module_name name, const MachineTimerParameters& parameters,
                           const ClockDomain& clock, StatGroup& parent_stats)
    : Peripheral(name, parameters, clock, parent_stats),
      irq("irq"),
      tick_(ClockDomain(parameters.frequency_hz).period()) {
  mtimecmp_lo_.on_write([this](u32) { changed(); });
  mtimecmp_hi_.on_write([this](u32) { changed(); });
  mtime_lo_.on_read([this] { return static_cast<u32>(mtime(bank().access_time())); });
  mtime_hi_.on_read([this] { return static_cast<u32>(mtime(bank().access_time()) >> 32); });
  mtime_lo_.on_write([this](u32 value) { write_mtime(low_word, value); });
  mtime_hi_.on_write([this](u32 value) { write_mtime(~low_word, u64{value} << 32); });
  SC_METHOD(compare);
  sensitive << compare_;
}

MachineTimer::~MachineTimer() = default;

void MachineTimer::write_mtime(u64 mask, u64 bits) {
  const u64 now = mtime(bank().access_time());
  offset_ += ((now & ~mask) | bits) - now;
  changed();
}

void MachineTimer::changed() {
  compare_.cancel();
  compare_.notify(until_access());
}

void MachineTimer::compare() {
  irq.write(mtime(sc_core::sc_time_stamp()) >= mtimecmp());
  const sc_core::sc_time rise = next_rise();
  if (rise != sc_core::sc_max_time()) compare_.notify(rise - sc_core::sc_time_stamp());
}

sc_core::sc_time MachineTimer::next_rise() const {
  const u64 now = mtime(sc_core::sc_time_stamp());
  if (now >= mtimecmp()) return sc_core::sc_max_time();
  // A tick beyond the end of simulated time is never reached.
  const u64 elapsed = sc_core::sc_time_stamp().value() / tick_.value();
  const u64 left = mtimecmp() - now;
  if (left > std::numeric_limits<u64>::max() / tick_.value() - elapsed) return sc_core::sc_max_time();
  return sc_core::sc_time::from_value((elapsed + left) * tick_.value());
}

}  // namespace bvp
