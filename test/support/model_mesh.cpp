// SPDX-License-Identifier: Apache-2.0
#include "test/support/model_mesh.h"
#include "models/base/array_parameters.h"

#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <catch2/catch.hpp>
#include <map>
#include <systemc>

#include "models/base/simulation_context.h"
#include "models/mesh/mesh.h"
#include "models/transport/initiator.h"

namespace bvp::test {

namespace {

constexpr u32 lanes = 4;  // the first one holds the vector's number
constexpr Cycle not_there = ~Cycle{0};

struct Pes : sc_core::sc_module {
  Pes(sc_core::sc_module_name name, const MeshTraffic& traffic, const ClockDomain& clock)
      : sc_module(name), out("out", traffic.pes()), in("in", traffic.pes()), traffic_(traffic), clock_(clock) {
    times.arrival.assign(traffic.packets.size(), not_there);
    for (u32 pe = 0; pe < in.size(); ++pe) in[pe].register_b_transport(this, &Pes::receive, static_cast<int>(pe));
  }

  void send(u32 index, bool deferred) {
    const MeshTraffic::Packet& packet = traffic_.packets[index];
    sending_ = index;
    deferred_mode_ = deferred;
    std::vector<u16> data(std::size_t{packet.vectors} * lanes, 0), slots(packet.vectors, 0);
    for (u32 i = 0; i < packet.vectors; ++i) {
      data[i * lanes] = static_cast<u16>(first_vector_ + i);
      slots[i] = static_cast<u16>(index % 256);
    }
    FlowPacket flow;
    flow.source = packet.source;
    flow.destination = packet.destination;
    flow.slots = slots.data();
    flow.count = packet.vectors;
    flow.deferred = deferred;
    tlm::tlm_generic_payload payload;
    payload.set_extension(&flow);
    sc_core::sc_time delay = clock_.to_time(packet.start);
    access(out[packet.source], payload, tlm::TLM_WRITE_COMMAND, packet.destination, data.data(),
           static_cast<u32>(data.size() * 2), delay);
    payload.clear_extension(&flow);
    REQUIRE(payload.is_response_ok());
    REQUIRE((flow.number != 0) == deferred);
    first_vector_ += packet.vectors;
  }

  sc_core::sc_vector<tlm_utils::simple_initiator_socket<Pes>> out;
  sc_core::sc_vector<tlm_utils::simple_target_socket_tagged<Pes>> in;
  MeshTimes times;
  std::size_t sent_notices = 0;

 private:
  void receive(int pe, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    const auto* packet = payload.get_extension<FlowPacket>();
    const Cycle when = clock_.to_cycles(sc_core::sc_time_stamp() + delay);
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    if (packet->notice == FlowPacket::Notice::sent) {
      ++sent_notices;
      CHECK(packet->source == static_cast<u32>(pe));
      return;
    }
    CHECK(packet->destination == static_cast<u32>(pe));
    if (packet->notice == FlowPacket::Notice::arrived) {
      arrive(deferred_.at(packet->number), when);
      deferred_.erase(packet->number);
      return;
    }
    // The data has come with the call.
    const MeshTraffic::Packet& sent = traffic_.packets[sending_];
    REQUIRE(packet->count == sent.vectors);
    const auto* data = reinterpret_cast<const u16*>(payload.get_data_ptr());
    for (u32 i = 0; i < packet->count; ++i) CHECK(data[i * lanes] == static_cast<u16>(first_vector_ + i));
    if (packet->number != 0) {
      deferred_[packet->number] = sending_;
    } else {
      arrive(sending_, when);
    }
  }

  void arrive(u32 index, Cycle when) {
    REQUIRE(times.arrival[index] == not_there);
    times.arrival[index] = when;
    // Packets from one PE to another stay in order. Whoever is answered at once is not told what joins it later.
    if (!deferred_mode_) return;
    Cycle& newest = newest_[{traffic_.packets[index].source, traffic_.packets[index].destination}];
    CHECK(newest < when);
    newest = when;
  }

  const MeshTraffic& traffic_;
  const ClockDomain clock_;
  u32 sending_ = 0, first_vector_ = 0;
  bool deferred_mode_ = false;
  std::map<u64, u32> deferred_;  // packets by the mesh's number
  std::map<std::pair<u32, u32>, Cycle> newest_;
};

}  // namespace

MeshTimes run_on_model(const MeshTraffic& traffic, const MeshTiming& timing, bool deferred) {
  SimulationContext context;
  ParameterGroup root("test");
  ArrayParameters array(&root);
  MeshParameters parameters(&root);
  array.rows = traffic.rows;
  array.columns = traffic.columns;
  array.lanes = lanes;
  parameters.link_bytes = lanes * 2 / timing.vector_cycles;
  parameters.link_latency = timing.link_latency;
  parameters.ejection_latency = timing.ejection_latency;
  parameters.skip_links = timing.skip_links;
  parameters.buffer_entries = timing.buffer_entries;
  const ClockDomain clock(1e9);
  StatGroup stats("test");
  Mesh mesh("mesh", array, parameters, clock, stats);
  Pes pes("pes", traffic, clock);
  for (u32 pe = 0; pe < traffic.pes(); ++pe) {
    pes.out[pe].bind(mesh.from_pe[pe]);
    mesh.to_pe[pe].bind(pes.in[pe]);
  }
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  for (u32 packet = 0; packet < traffic.packets.size(); ++packet) pes.send(packet, deferred);
  sc_core::sc_start();
  REQUIRE(std::count(pes.times.arrival.begin(), pes.times.arrival.end(), not_there) == 0);
  CHECK(pes.sent_notices == (deferred ? traffic.packets.size() : 0));
  return pes.times;
}

}  // namespace bvp::test
