// SPDX-License-Identifier: Apache-2.0
// What traffic that is reported as an amount does in a DRAM: accesses and activates in the proportion that timed
// traffic has shown.
#pragma once

#include <unordered_map>

#include "models/base/clock.h"
#include "models/memory/dram_channel.h"
#include "models/transport/bulk_traffic.h"

namespace bvp {

/// Amounts of a DRAM.
struct DramActivity {
  u64 bytes_read = 0, bytes_written = 0;
  u64 reads = 0, writes = 0;  ///< accesses of 64 bytes; the writes include those that still wait in the queue
  u64 activates = 0;
  DramActivity& operator+=(const DramActivity& other);
  DramActivity operator-(const DramActivity& other) const;
};

class DramBulkActivity {
 public:
  /// The activity of accesses that were timed one by one.
  /// @param waiting  writes that wait in the queues
  [[nodiscard]] DramActivity timed(const DramStatistics& statistics, u64 waiting) const;
  /// A timed request is a sample of this pattern of addresses, and was all the activity between these two.
  void add_sample(u64 pattern, const DramActivity& before, const DramActivity& after) {
    samples_[pattern] += after - before;
  }
  /// Counts an amount of traffic.
  /// @param timed          see timed(): what is assumed of a pattern without a sample
  /// @param access_clocks  of the data bus in an access
  /// @return  clocks up to the present that this traffic has lasted and that no earlier traffic has
  Cycle count(const BulkTraffic& traffic, const DramActivity& timed, const ClockDomain& clock, Cycle access_clocks,
              DramStatistics& statistics);

 private:
  DramActivity bulk_;                              // the part of the counters that count() has added
  std::unordered_map<u64, DramActivity> samples_;  // by pattern
  Cycle until_ = 0;                                // the time up to which traffic has been counted
};

}  // namespace bvp
