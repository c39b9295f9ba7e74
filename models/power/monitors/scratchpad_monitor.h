// SPDX-License-Identifier: Apache-2.0
// Counts what the transactions at the scratchpad's sockets read and write there.
#pragma once

#include <unordered_map>

#include "models/base/clock.h"
#include "models/base/machine_shape.h"
#include "models/base/statistics.h"
#include "models/power/monitors/socket_monitor.h"
#include "models/transport/bulk_traffic.h"

namespace bvp {

class ScratchpadMonitor : public sc_core::sc_module {
 public:
  ScratchpadMonitor(sc_core::sc_module_name name, const ArrayShape& array, const ClockDomain& clock,
                    StatGroup& parent_stats);
  ~ScratchpadMonitor() override;

  SocketMonitor vector;  ///< stands before Scratchpad::vector, with as many sockets
  SocketMonitor linear;  ///< stands before Scratchpad::linear

 private:
  void observe_vectors(u32 pe, const tlm::tlm_generic_payload& payload);
  void observe_bytes(const tlm::tlm_generic_payload& payload, const SocketMonitor::Span& span);
  void observe_bulk(const BulkTraffic& bulk);

  /// Counts bytes that are read or written through the linear socket.
  struct Traffic {
    u64 bytes = 0, rows = 0;
  };
  struct Sample {
    Traffic read, written;
  };

  const ClockDomain clock_;
  u32 columns_, row_bytes_;
  StatGroup stats_;
  Counter row_reads_, row_writes_, vector_hops_;
  std::unordered_map<u64, Sample> samples_;  // samples of bulk traffic, by pattern
};

}  // namespace bvp
