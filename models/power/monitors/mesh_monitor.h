// SPDX-License-Identifier: Apache-2.0
// Counts how far the transactions at the mesh's sockets go.
#pragma once

#include "models/base/clock.h"
#include "models/base/machine_shape.h"
#include "models/base/statistics.h"
#include "models/power/monitors/socket_monitor.h"

namespace bvp {

class MeshMonitor : public sc_core::sc_module {
 public:
  MeshMonitor(sc_core::sc_module_name name, const ArrayShape& array, const ClockDomain& clock, StatGroup& parent_stats);
  ~MeshMonitor() override;

  SocketMonitor from_pe;  ///< stands before Mesh::from_pe, with as many sockets

 private:
  void observe(const tlm::tlm_generic_payload& payload, const SocketMonitor::Span& span);
  [[nodiscard]] u32 distance(u32 source, u32 destination) const;

  const ClockDomain clock_;
  u32 columns_;
  StatGroup stats_;
  Counter vector_hops_, control_hops_;
};

}  // namespace bvp
