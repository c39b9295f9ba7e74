// SPDX-License-Identifier: Apache-2.0
// Behaviour of the core-local interruptor.
#include "models/peripherals/clint.h"

#include <limits>

namespace bvp {

Clint::Clint(sc_core::sc_module_name name, const ClintParameters& parameters, const ClockDomain& clock,
             StatGroup& parent_stats)
    : Peripheral(name, parameters, clock, parent_stats),
      timer_irq("timer_irq"),
      software_irq("software_irq"),
      tick_(ClockDomain(parameters.frequency_hz).period()),
      msip_(&bank(), "MSIP", 0x0000, RegisterAccess::read_write, 0, "Software interrupt of hart 0; other bits stay 0."),
      pending_(&msip_, "PENDING", 0, 1, "the interrupt is pending"),
      mtimecmp_lo_(&bank(), "MTIMECMP_LO", 0x4000, RegisterAccess::read_write, 0xffffffff,
                   "Bits 31..0 of mtimecmp: the interrupt is pending while mtime >= mtimecmp."),
      mtimecmp_hi_(&bank(), "MTIMECMP_HI", 0x4004, RegisterAccess::read_write, 0xffffffff, "Bits 63..32 of mtimecmp."),
      mtime_lo_(&bank(), "MTIME_LO", 0xbff8, RegisterAccess::read_write, 0, "Bits 31..0 of mtime."),
      mtime_hi_(&bank(), "MTIME_HI", 0xbffc, RegisterAccess::read_write, 0, "Bits 63..32 of mtime.") {
  msip_.on_write([this](u32 value) {
    msip_.set(pending_.bits(pending_.of(value)));
    software_changed_.notify(until_access());
  });
  mtimecmp_lo_.on_write([this](u32) { changed(); });
  mtimecmp_hi_.on_write([this](u32) { changed(); });
  const auto mtime_now = [this] { return mtime(bank().access_time()); };
  mtime_lo_.on_read([mtime_now] { return low_word(mtime_now()); });
  mtime_hi_.on_read([mtime_now] { return high_word(mtime_now()); });
  mtime_lo_.on_write([this, mtime_now](u32 value) { write_mtime(value, high_word(mtime_now())); });
  mtime_hi_.on_write([this, mtime_now](u32 value) { write_mtime(low_word(mtime_now()), value); });
  SC_METHOD(compare);
  sensitive << compare_;
  SC_METHOD(drive_software);
  sensitive << software_changed_;
}

Clint::~Clint() = default;

void Clint::write_mtime(u32 low, u32 high) {
  offset_ += join_words(low, high) - mtime(bank().access_time());
  changed();
}

void Clint::changed() {
  compare_.cancel();
  compare_.notify(until_access());
}

void Clint::compare() {
  timer_irq.write(mtime(sc_core::sc_time_stamp()) >= mtimecmp());
  const sc_core::sc_time rise = next_rise();
  if (rise != sc_core::sc_max_time()) compare_.notify(rise - sc_core::sc_time_stamp());
}

sc_core::sc_time Clint::next_rise() const {
  const u64 now = mtime(sc_core::sc_time_stamp());
  if (now >= mtimecmp()) return sc_core::sc_max_time();
  // The simulation cannot reach a tick beyond the end of simulated time, so the CLINT sets no event for it.
  const u64 elapsed = sc_core::sc_time_stamp().value() / tick_.value();
  const u64 left = mtimecmp() - now;
  if (left > std::numeric_limits<u64>::max() / tick_.value() - elapsed) return sc_core::sc_max_time();
  return sc_core::sc_time::from_value((elapsed + left) * tick_.value());
}

}  // namespace bvp
