// SPDX-License-Identifier: Apache-2.0
// Conversion between simulated time and cycles of one clock domain.
#pragma once

#include <systemc>

#include "models/base/types.h"

namespace bvp {

/// A clock domain by its period. Nothing ticks: models compute in cycles and convert at their sockets.
class ClockDomain {
 public:
  /// @param hertz  frequency; the period is rounded to the SystemC time resolution (1 ps)
  explicit ClockDomain(double hertz) : period_(sc_core::sc_time(1.0 / hertz, sc_core::SC_SEC).value()) {}

  [[nodiscard]] sc_core::sc_time to_time(Cycle cycles) const { return sc_core::sc_time::from_value(cycles * period_); }
  /// Cycles that have begun by `time`, rounded up: the first clock edge at or after it.
  [[nodiscard]] Cycle to_cycles(const sc_core::sc_time& time) const { return (time.value() + period_ - 1) / period_; }
  [[nodiscard]] Cycle now() const { return to_cycles(sc_core::sc_time_stamp()); }
  [[nodiscard]] sc_core::sc_time period() const { return sc_core::sc_time::from_value(period_); }
  /// The frequency of the rounded period: cycles / hertz() is the time that the simulation takes for them.
  [[nodiscard]] double hertz() const {
    return static_cast<double>(sc_core::sc_time(1, sc_core::SC_SEC).value()) / static_cast<double>(period_);
  }

 private:
  sc_dt::uint64 period_;
};

}  // namespace bvp
