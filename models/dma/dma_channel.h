// SPDX-License-Identifier: Apache-2.0
// The state of one channel of the DMA engine.
#pragma once

#include <algorithm>
#include <systemc>
#include <vector>

#include "models/base/clock.h"
#include "models/base/statistics.h"
#include "models/dma/dma_parameters.h"
#include "models/dma/dma_time.h"
#include "models/dma/dma_transfer.h"
#include "models/transport/access_source.h"
#include "models/transport/memory_time.h"

namespace bvp {

/// Counters of one channel.
struct DmaStatistics {
  explicit DmaStatistics(StatGroup* group) : group_(group) {}

 private:
  StatGroup* group_;

 public:
  Counter descriptors{group_, "descriptors", "descriptors", "Descriptors taken."};
  Counter errors{group_, "errors", "descriptors", "Descriptors that ended with an error."};
  Counter bytes_read{group_, "bytes_read", "bytes", "Bytes read from the source."};
  Counter bytes_written{group_, "bytes_written", "bytes", "Bytes written to the destination."};
  Counter bus_requests{group_, "bus_requests", "requests", "Reads and writes sent to the bus."};
  Counter busy_cycles{group_, "busy_cycles", "cycles", "Cycles from a descriptor's arrival to its completion."};
  Counter setup_cycles{group_, "setup_cycles", "cycles", "Those of them before the first burst."};
  Counter burst{group_, "burst", "bursts", "Bursts performed."};
  Counter byte{group_, "byte", "bytes", "Bytes moved or filled."};
};

struct DmaChannel {
  DmaChannel(u32 number, const DmaParameters& parameters);
  ~DmaChannel();
  DmaChannel(const DmaChannel&) = delete;
  DmaChannel& operator=(const DmaChannel&) = delete;

  const u32 number;
  StatGroup stats;
  DmaStatistics statistics{&stats};
  sc_core::sc_event wake;
  bool busy = false;
  DmaStatus status = DmaStatus::ok;
  u64 error_address = 0;  ///< of the request that failed, or where an abort has stopped the writes
  DmaDescriptor descriptor{};
  DmaIndices indices;          ///< of an indexed transfer; otherwise its bound is 0
  bool reads_indices = false;  ///< they are still to be read, and the transfer has not started
  DmaTransfer transfer;
  DmaBurst burst;       ///< the one that is performed
  Cycle submitted = 0;  ///< when the descriptor came
  LastingState taken, set_up;
  Cycle first_issue = 0;       ///< the cycle in which the first burst may be issued
  DmaPoint issue_from;         ///< the data path is free for the next burst from here on
  DmaPoint finished;           ///< the last burst is done here
  std::vector<DmaPoint> done;  ///< ring: where the last bursts are done, as many as may be in flight
  u64 burst_count = 0;
  std::vector<u8> data;  ///< bytes of a burst; for a fill, its pattern
  AccessSource source;
  MemoryTime memory_time;
  tlm::tlm_generic_payload payload;

  [[nodiscard]] bool fills() const { return descriptor.fill != 0; }
  /// All bursts have been issued.
  [[nodiscard]] bool drains() const { return status != DmaStatus::ok || (!reads_indices && transfer.finished()); }
  /// Bursts that may be in flight.
  [[nodiscard]] u64 outstanding() const { return done.size(); }
  /// The first point at which the next burst may be issued.
  [[nodiscard]] const DmaPoint& next_issue() const {
    if (burst_count < outstanding()) return issue_from;
    const DmaPoint& oldest = done[burst_count % done.size()];
    return oldest.at > issue_from.at ? oldest : issue_from;
  }
  /// Wakes the channel when its next burst may be issued, or its last one is done.
  void wake_when_due(const ClockDomain& clock);
};

}  // namespace bvp
