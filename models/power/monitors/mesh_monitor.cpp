// SPDX-License-Identifier: Apache-2.0
#include "models/power/monitors/mesh_monitor.h"

#include <algorithm>

#include "models/transport/vector_access.h"

namespace bvp {

MeshMonitor::MeshMonitor(sc_core::sc_module_name name, const ArrayShape& array, const ClockDomain& clock,
                         StatGroup& parent_stats)
    : sc_module(name),
      from_pe("from_pe", array.pes(),
              [this](u32, const tlm::tlm_generic_payload& payload, const SocketMonitor::Span& span) {
                observe(payload, span);
              }),
      clock_(clock),
      columns_(array.columns),
      stats_(basename()),
      vector_hops_(&stats_, "vector_hop", "hops", "distance that vectors went, in PEs"),
      control_hops_(&stats_, "control_hop", "hops", "distance that tokens went, in PEs") {
  parent_stats.add(&stats_);
}

MeshMonitor::~MeshMonitor() = default;

u32 MeshMonitor::distance(u32 source, u32 destination) const {
  const auto apart = [](u32 a, u32 b) { return a > b ? a - b : b - a; };
  return apart(source % columns_, destination % columns_) + apart(source / columns_, destination / columns_);
}

void MeshMonitor::observe(const tlm::tlm_generic_payload& payload, const SocketMonitor::Span& span) {
  const auto* const packet = payload.get_extension<FlowPacket>();
  const bool timed = packet->untimed_copies == 0;
  const u64 hops = timed ? distance(packet->source, packet->destination) : packet->untimed_hops;
  const CycleSpan when =
      timed ? CycleSpan{clock_.to_cycles(span.begin), clock_.to_cycles(span.end)} : packet->untimed_span;
  (packet->count == 0 ? control_hops_ : vector_hops_)
      .add(u64{std::max(1u, packet->count)} * hops, when.begin, when.end);
}

}  // namespace bvp
