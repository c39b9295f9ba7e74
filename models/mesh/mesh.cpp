// SPDX-License-Identifier: Apache-2.0
// The sockets of the mesh.
#include "models/mesh/mesh.h"

#include <algorithm>
#include <utility>

#include "models/transport/check.h"
#include "models/transport/initiator.h"

namespace bvp {

namespace {

RouterNetwork::Shape shape_of(const ArrayShape& array, const MeshParameters& parameters) {
  const u32 vector_bytes = array.vector_bytes();
  const u32 width = parameters.link_width(vector_bytes);
  RouterNetwork::Shape shape;
  shape.columns = array.columns;
  shape.rows = array.rows;
  shape.buffer_entries = parameters.buffer_entries.as<u32>();
  shape.vector_cycles = (vector_bytes + width - 1) / width;
  shape.link_latency = parameters.link_latency.as<Cycle>();
  shape.ejection_latency = parameters.ejection_latency.as<Cycle>();
  shape.skip_links = parameters.skip_links;
  return shape;
}

}  // namespace

Mesh::Mesh(sc_core::sc_module_name name, const ArrayShape& array, const MeshParameters& parameters,
           const ClockDomain& clock, StatGroup& parent_stats)
    : sc_module(name),
      from_pe("from_pe", array.pes()),
      to_pe("to_pe", from_pe.size()),
      clock_(clock),
      vector_bytes_(array.vector_bytes()),
      control_hop_latency_(parameters.control_hop_latency.as<Cycle>()),
      shape_(shape_of(array, parameters)),
      stats_(basename()),
      vectors_(&stats_, "vectors", "vectors", "vectors carried from PE to PE"),
      tokens_(&stats_, "tokens", "tokens", "tokens carried on the control plane"),
      stall_cycles_(&stats_, "stall_cycles", "cycles", "cycles that vectors waited for links or credits, summed"),
      network_(shape_),
      ahead_(shape_),
      link_vectors_(from_pe.size() * link_direction_count, 0) {
  for (std::size_t pe = 0; pe < from_pe.size(); ++pe) {
    from_pe[pe].register_b_transport(this, &Mesh::transport, static_cast<int>(pe));
  }
  SC_METHOD(run);
  sensitive << wake_;
  dont_initialize();
  parent_stats.add(&stats_);
}

Mesh::~Mesh() = default;

u32 Mesh::distance(u32 source, u32 destination) const {
  const auto apart = [](u32 a, u32 b) { return a > b ? a - b : b - a; };
  return apart(source % shape_.columns, destination % shape_.columns) +
         apart(source / shape_.columns, destination / shape_.columns);
}

double Mesh::hops_per_cycle() const {
  // Number of links that reach `length` PEs far along rows and along columns, in both directions.
  const auto links = [&](u32 length) {
    const auto along = [&](u32 size, u32 others) { return u64{size > length ? size - length : 0} * others; };
    return 2 * (along(shape_.columns, shape_.rows) + along(shape_.rows, shape_.columns));
  };
  return static_cast<double>(links(1) + (shape_.skip_links ? 2 * links(2) : 0)) /
         static_cast<double>(shape_.vector_cycles);
}

// ---------------------------------------------------------------- time

void Mesh::count(const FlowPacket& packet) {
  for (u32 router = packet.source;;) {
    const LinkDirection direction = network_.next_output(router, packet.destination);
    link_vectors_[link_index(router, direction)] += packet.count;
    if (direction == LinkDirection::eject) break;
    router = network_.neighbour(router, direction);
  }
  vectors_ += packet.count;
}

void Mesh::send_deferred(tlm::tlm_generic_payload& payload, FlowPacket& packet, Cycle start, sc_core::sc_time& delay) {
  count(packet);
  packet.number = ++last_number_;
  packet.stall_cycles = 0;
  packet.arrivals.clear();
  ahead_holds_all_ = false;
  network_.send({packet.number, packet.source, packet.destination, packet.count, start});
  wake_for_next_report();
  answer_at_least(payload, packet, start, delay);
}

void Mesh::answer_at_least(tlm::tlm_generic_payload& payload, const FlowPacket& packet, Cycle start,
                           sc_core::sc_time& delay) {
  const Cycle sending = packet.count * shape_.vector_cycles;
  const Cycle arrival = start + sending - shape_.vector_cycles + unloaded_latency(packet.source, packet.destination);
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  delay = clock_.to_time(start + sending) - now;
  sc_core::sc_time until_arrival = clock_.to_time(arrival) - now;
  to_pe[packet.destination]->b_transport(payload, until_arrival);
}

void Mesh::send_at_once(tlm::tlm_generic_payload& payload, FlowPacket& packet, Cycle start, sc_core::sc_time& delay) {
  count(packet);
  packet.number = 0;
  packet.stall_cycles = 0;
  packet.arrivals.clear();
  together_.push_back({++last_number_, packet.source, packet.destination, packet.count, start});
  if (packet.others_follow) {
    answer_at_least(payload, packet, start, delay);
    return;
  }
  if (ahead_holds_all_ && ahead_.now() <= start) std::swap(network_, ahead_);
  network_.advance(start);
  ahead_ = network_;
  for (const RouterNetwork::Packet& each : together_) {
    ahead_.send(each);
    network_.send_unreported(each);
  }
  Cycle sent = 0, arrived = 0;
  for (std::size_t under_way = together_.size(); under_way > 0;) {
    for (RouterNetwork::Report& report : ahead_.advance_until_report()) {
      if (report.kind == RouterNetwork::Report::Kind::sent) {
        sent = std::max(sent, report.cycle);
        continue;
      }
      arrived = std::max(arrived, report.cycle);
      packet.stall_cycles += report.stall_cycles;
      if (report.number == last_number_) packet.arrivals = std::move(report.arrivals);
      --under_way;
    }
  }
  together_.clear();
  ahead_holds_all_ = true;
  stall_cycles_ += packet.stall_cycles;
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  delay = clock_.to_time(sent) - now;
  sc_core::sc_time until_arrival = clock_.to_time(arrived) - now;
  to_pe[packet.destination]->b_transport(payload, until_arrival);
}

void Mesh::wake_for_next_report() {
  const Cycle next = network_.earliest_report();
  if (next != RouterNetwork::never) wake_.notify(clock_.to_time(next) - sc_core::sc_time_stamp());
}

void Mesh::run() {
  network_.advance(clock_.now());
  for (RouterNetwork::Report& report : network_.take_reports()) notify(report);
  wake_for_next_report();
}

void Mesh::notify(RouterNetwork::Report& report) {
  const bool arrived = report.kind == RouterNetwork::Report::Kind::arrived;
  if (arrived) stall_cycles_ += report.stall_cycles;
  notice_packet_.number = report.number;
  notice_packet_.source = report.source;
  notice_packet_.destination = report.destination;
  notice_packet_.notice = arrived ? FlowPacket::Notice::arrived : FlowPacket::Notice::sent;
  notice_packet_.stall_cycles = report.stall_cycles;
  notice_packet_.arrivals = std::move(report.arrivals);
  notice_.set_extension(&notice_packet_);
  sc_core::sc_time delay = clock_.to_time(report.cycle) - sc_core::sc_time_stamp();
  const u32 pe = arrived ? report.destination : report.source;
  access(to_pe[pe], notice_, tlm::TLM_IGNORE_COMMAND, pe, nullptr, 0, delay);
  notice_.clear_extension(&notice_packet_);
}

// ---------------------------------------------------------------- sockets

tlm::tlm_response_status Mesh::check_packet(u32 pe, const tlm::tlm_generic_payload& payload,
                                            const FlowPacket* packet) const {
  if (packet == nullptr || packet->source != pe) return tlm::TLM_GENERIC_ERROR_RESPONSE;
  PayloadRules rules = PayloadRules::of_length(u64{packet->count} * vector_bytes_);
  rules.read = false;
  const tlm::tlm_response_status status = check(payload, rules);
  if (status != tlm::TLM_OK_RESPONSE) return status;
  if (packet->destination >= to_pe.size()) return tlm::TLM_ADDRESS_ERROR_RESPONSE;
  if (packet->count != 0 && packet->untimed_copies == 0 &&
      (payload.get_data_ptr() == nullptr || packet->slots == nullptr)) {
    return tlm::TLM_GENERIC_ERROR_RESPONSE;
  }
  return tlm::TLM_OK_RESPONSE;
}

void Mesh::transport(int pe, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  auto* packet = payload.get_extension<FlowPacket>();
  const tlm::tlm_response_status status = check_packet(static_cast<u32>(pe), payload, packet);
  if (status != tlm::TLM_OK_RESPONSE) {
    payload.set_response_status(status);
    return;
  }
  if (packet->untimed_copies != 0) {
    (packet->count == 0 ? tokens_ : vectors_) += u64{std::max(1u, packet->count)} * packet->untimed_copies;
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    return;
  }
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  const Cycle start = clock_.to_cycles(now + delay);
  if (packet->count == 0) {
    const Cycle arrival = start + distance(packet->source, packet->destination) * control_hop_latency_ + 1;
    packet->number = 0;
    packet->stall_cycles = 0;
    ++tokens_;
    sc_core::sc_time until_arrival = clock_.to_time(arrival) - now;
    to_pe[packet->destination]->b_transport(payload, until_arrival);
  } else if (packet->deferred) {
    send_deferred(payload, *packet, start, delay);
  } else {
    send_at_once(payload, *packet, start, delay);
  }
}

u64 Mesh::link_vectors(u32 x, u32 y, LinkDirection direction) const {
  return x < shape_.columns && y < shape_.rows ? link_vectors_[link_index(y * shape_.columns + x, direction)] : 0;
}

u64 Mesh::link_stall_cycles(u32 x, u32 y, LinkDirection direction) const {
  return x < shape_.columns && y < shape_.rows ? network_.stall_cycles(y * shape_.columns + x, direction) : 0;
}

}  // namespace bvp
