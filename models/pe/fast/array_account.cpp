// SPDX-License-Identifier: Apache-2.0
#include "models/pe/fast/array_account.h"

#include <algorithm>

namespace bvp {

u64 ArrayAccount::wait_until(Unit unit, Cycle now, const Participants& active, u64 kernel_pes) {
  BookedUntil& booked = booked_[static_cast<std::size_t>(unit)];
  const Cycle until = sum_.counted_until(unit);
  u64 cycles = 0;
  if (booked.alike() && active.count() == kernel_pes) {
    if (now > until) cycles = (now - until) * kernel_pes;
  } else {
    booked.differ(kernel_pes, until);
    cycles = booked.advance(active.pes, now);
  }
  sum_.set_counted_until(unit, std::max(until, now));
  return cycles;
}

void ArrayAccount::busy(const Firing& firing, const BusyCycles& cycles, const Participants& active, u64 counted) {
  sum_.busy(firing.unit, firing.tag, firing.now, cycles, counted);
  BookedUntil& booked = booked_[static_cast<std::size_t>(firing.unit)];
  if (!booked.alike()) booked.set(active.pes, sum_.counted_until(firing.unit));
}

void ArrayAccount::rest_until(Cycle now, u64 kernel_pes, const LaunchShares::SharedLaunch* ended) {
  for (std::size_t number = 0; number < unit_count; ++number) {
    const auto unit = static_cast<Unit>(number);
    BookedUntil& booked = booked_[number];
    const Cycle until = sum_.counted_until(unit);
    const bool all_alike = booked.alike() && (ended == nullptr || ended->of_pe.empty());
    u64 drain = 0, rest = 0;
    for (std::size_t pe = 0; pe < (all_alike ? std::min<u64>(kernel_pes, 1) : kernel_pes); ++pe) {
      const Cycle begin = booked.alike() ? until : booked.of_pe()[pe];
      if (now <= begin) continue;
      const Cycle end = ended != nullptr ? std::max(begin, ended->end(pe, now)) : begin;
      drain += end - begin;
      rest += now - end;
    }
    const u64 each = all_alike ? kernel_pes : 1;
    sum_.count_wait(unit, Wait::drain, drain * each);
    sum_.count_wait(unit, Wait::no_kernel, rest * each);
    booked.unite();
    sum_.set_counted_until(unit, std::max(until, now));
  }
  outside_until(now, kernel_pes);
}

void ArrayAccount::outside_until(Cycle now, u64 kernel_pes) {
  if (now <= outside_booked_) return;
  for (std::size_t number = 0; number < unit_count; ++number) {
    sum_.count_wait(static_cast<Unit>(number), Wait::no_kernel, (now - outside_booked_) * (pes_ - kernel_pes));
  }
  outside_booked_ = now;
}

ArrayAccount::Booked ArrayAccount::booked() const {
  Booked all;
  for (std::size_t unit = 0; unit < unit_count; ++unit) all[unit] = booked_[unit].of_pe();
  return all;
}

void ArrayAccount::repeat(const Booked& booked, Cycle arrival) {
  for (std::size_t unit = 0; unit < unit_count; ++unit) booked_[unit].repeat(booked[unit], arrival);
}

void ArrayAccount::restart(Cycle arrival) {
  for (std::size_t unit = 0; unit < unit_count; ++unit) {
    sum_.set_counted_until(static_cast<Unit>(unit), arrival);
    booked_[unit].unite();
  }
}

}  // namespace bvp
