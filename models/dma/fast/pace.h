// SPDX-License-Identifier: Apache-2.0
// The cost of transfers that are busy at the same time, learnt from bursts that were timed.
#pragma once

#include <map>
#include <vector>

#include "models/abi/records.h"
#include "models/base/clock.h"
#include "models/dma/dma_channel.h"
#include "models/dma/dma_time.h"

namespace bvp {

/// Mean of a few samples.
class LearntCycles {
 public:
  void add(Cycle cycles) {
    ++samples_;
    sum_ += cycles;
  }
  [[nodiscard]] bool known() const { return samples_ >= enough; }
  [[nodiscard]] double mean() const { return static_cast<double>(sum_) / static_cast<double>(samples_); }

 private:
  static constexpr u64 enough = 4;
  u64 samples_ = 0;
  Cycle sum_ = 0;
};

/// The pace of one channel. The sums are over bursts that were timed with a full pipeline.
struct Pace {
  u64 bursts = 0;
  Cycle cycles = 0;
  DmaTime spent;              // what the cycles were spent on
  u64 reads = 0, writes = 0;  // requests
  u64 bytes = 0;
  LearntCycles fill;   // from the first burst of a transfer until `outstanding` bursts have been issued
  LearntCycles drain;  // from the cycle in which another burst could be issued until the last one is done
  [[nodiscard]] double of_burst() const { return static_cast<double>(cycles) / static_cast<double>(bursts); }
  /// Bursts in this many bytes: at least one if there is at least one byte.
  [[nodiscard]] u64 bursts_of(u64 transfer_bytes) const { return (transfer_bytes * bursts + bytes - 1) / bytes; }
};

struct BusyTransfers {
  std::vector<Pace> paces;  // by channel
  bool learnt = false;
  u64 pattern = 0;  // its number
};

class PaceTable {
 public:
  /// @param transfers  by channel; null: it is idle
  BusyTransfers& find(const std::vector<const DmaChannel*>& transfers, u32 burst_bytes);

 private:
  std::map<std::vector<u64>, BusyTransfers> known_;
  u64 patterns_ = 0;
};

/// Appends to the key what the pace of a transfer depends on: its targets, the position of its runs within bursts, its
/// counts and its strides, and whether it is indexed. The address is left out, because it changes from tile to tile; so
/// are the indices, and the outermost count, which only repeats the rest.
void append_shape(const DmaDescriptor& descriptor, bool indexed, u32 burst_bytes, std::vector<u64>& shape);

}  // namespace bvp
