// SPDX-License-Identifier: Apache-2.0
// What the time of a transfer is spent on.
#pragma once

#include "models/base/types.h"

namespace bvp {

/// Cycles of the engine, from the arrival of a descriptor on.
struct DmaTime {
  double setup = 0;    ///< before the first burst
  double path = 0;     ///< the engine's data path, which carries the burst in front
  double rows = 0;     ///< the banks of a memory: rows that are closed and opened, refresh
  double bus = 0;      ///< the data bus of a memory
  double latency = 0;  ///< the way to the memories and back, while as many bursts are in flight as may be

  [[nodiscard]] double total() const { return setup + path + rows + bus + latency; }
  DmaTime& operator+=(const DmaTime& other) {
    setup += other.setup;
    path += other.path;
    rows += other.rows;
    bus += other.bus;
    latency += other.latency;
    return *this;
  }
  friend DmaTime operator-(const DmaTime& a, const DmaTime& b) {
    return {a.setup - b.setup, a.path - b.path, a.rows - b.rows, a.bus - b.bus, a.latency - b.latency};
  }
  friend DmaTime operator*(const DmaTime& time, double factor) {
    return {time.setup * factor, time.path * factor, time.rows * factor, time.bus * factor, time.latency * factor};
  }
};

/// A point in the course of a transfer: its cycle, and what the cycles up to it were spent on, along the chain of
/// bursts each of which had to wait for the one in front.
struct DmaPoint {
  Cycle at = 0;
  DmaTime spent;

  /// A point this many cycles later, which are spent in the proportions of `rate`; without any, on latency.
  [[nodiscard]] DmaPoint later(Cycle cycles, const DmaTime& rate) const {
    DmaPoint point{at + cycles, spent};
    const auto more = static_cast<double>(cycles);
    if (const double total = rate.total(); total > 0) {
      point.spent += rate * (more / total);
    } else {
      point.spent.latency += more;
    }
    return point;
  }
};

}  // namespace bvp
