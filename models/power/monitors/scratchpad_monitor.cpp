// SPDX-License-Identifier: Apache-2.0
#include "models/power/monitors/scratchpad_monitor.h"

#include <cmath>

#include "models/transport/vector_access.h"

namespace bvp {

ScratchpadMonitor::ScratchpadMonitor(sc_core::sc_module_name name, const ArrayShape& array, const ClockDomain& clock,
                                     StatGroup& parent_stats)
    : sc_module(name),
      vector("vector", array.pes(),
             [this](u32 pe, const tlm::tlm_generic_payload& payload, const SocketMonitor::Span&) {
               observe_vectors(pe, payload);
             }),
      linear("linear", 1,
             [this](u32, const tlm::tlm_generic_payload& payload, const SocketMonitor::Span& span) {
               observe_bytes(payload, span);
             }),
      clock_(clock),
      columns_(array.columns),
      row_bytes_(array.vector_bytes()),
      stats_(basename()),
      row_reads_(&stats_, "row_read", "accesses", "reads of one row or column of a bank"),
      row_writes_(&stats_, "row_write", "accesses", "writes of one row or column of a bank"),
      vector_hops_(&stats_, "vector_hop", "hops", "distance that vectors of the PEs went along their rows, in PEs") {
  parent_stats.add(&stats_);
}

ScratchpadMonitor::~ScratchpadMonitor() = default;

void ScratchpadMonitor::observe_vectors(u32 pe, const tlm::tlm_generic_payload& payload) {
  const auto* const access = payload.get_extension<VectorAccess>();
  if (access->count == 0) return;
  const bool timed = access->untimed_copies == 0;
  const auto [begin, end] = timed ? access->served : access->untimed_span;
  (payload.is_read() ? row_reads_ : row_writes_)
      .add(u64{access->count} * (timed ? 1 : access->untimed_copies), begin, end);
  // The PE in column c is c hops from the banks.
  vector_hops_.add(u64{access->count} * (timed ? pe % columns_ : access->untimed_hops), begin, end);
}

void ScratchpadMonitor::observe_bytes(const tlm::tlm_generic_payload& payload, const SocketMonitor::Span& span) {
  if (const auto* const bulk = payload.get_extension<BulkTraffic>()) {
    observe_bulk(*bulk);
    return;
  }
  if (payload.get_command() == tlm::TLM_IGNORE_COMMAND) return;
  const u64 first = payload.get_address() / row_bytes_;
  const u64 last = (payload.get_address() + payload.get_data_length() - 1) / row_bytes_;
  (payload.is_read() ? row_reads_ : row_writes_)
      .add(last - first + 1, clock_.to_cycles(span.begin), clock_.to_cycles(span.end));
  if (const auto* const sampled = payload.get_extension<SampledTraffic>()) {
    Sample& sample = samples_[sampled->pattern];
    Traffic& traffic = payload.is_read() ? sample.read : sample.written;
    traffic.bytes += payload.get_data_length();
    traffic.rows += last - first + 1;
  }
}

void ScratchpadMonitor::observe_bulk(const BulkTraffic& bulk) {
  // The traffic opens rows in the proportion to its bytes that the samples of its pattern show: a run that is shorter
  // than a row takes a whole row.
  Traffic seen{row_bytes_, 1};
  const auto sampled = samples_.find(bulk.pattern);
  if (sampled != samples_.end()) {
    const Traffic& traffic = bulk.write ? sampled->second.written : sampled->second.read;
    if (traffic.bytes != 0) seen = traffic;
  }
  const double rows_of_byte = static_cast<double>(seen.rows) / static_cast<double>(seen.bytes);
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  (bulk.write ? row_writes_ : row_reads_)
      .add(static_cast<u64>(std::llround(static_cast<double>(bulk.bytes) * rows_of_byte)),
           clock_.to_cycles(now - bulk.duration), clock_.to_cycles(now));
}

}  // namespace bvp
