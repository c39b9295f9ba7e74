// SPDX-License-Identifier: Apache-2.0
// Monitors between sockets, against a target that answers as told, and against the real scratchpad and mesh.
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>
#include <set>
#include <systemc>
#include <utility>
#include <vector>

#include "models/base/clock.h"
#include "models/base/simulation_context.h"
#include "models/mesh/mesh.h"
#include "models/power/monitors/mesh_monitor.h"
#include "models/power/monitors/scratchpad_monitor.h"
#include "models/power/monitors/socket_monitor.h"
#include "models/scratchpad/scratchpad.h"
#include "models/transport/bulk_traffic.h"
#include "models/transport/vector_access.h"

using namespace bvp;

namespace {

const sc_core::sc_time ns(1, sc_core::SC_NS);

// ---------------------------------------------------------------- the base protocol

/// How a target may answer a non-blocking request, and once that it asks later.
enum class Answer { completed, updated, later };

struct Target : sc_core::sc_module {
  tlm_utils::simple_target_socket<Target> socket{"socket"};
  tlm::tlm_response_status status = tlm::TLM_OK_RESPONSE;
  Answer answer = Answer::completed;
  std::array<u8, 16> memory{};

  explicit Target(sc_core::sc_module_name name) : sc_module(name) {
    socket.register_b_transport(this, &Target::b_transport);
    socket.register_nb_transport_fw(this, &Target::nb_transport_fw);
    socket.register_transport_dbg(this, &Target::debug);
    socket.register_get_direct_mem_ptr(this, &Target::direct_memory);
  }
  void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    delay += 7 * ns;
    payload.set_response_status(status);
  }
  tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) {
    if (phase == tlm::END_RESP) return tlm::TLM_COMPLETED;
    if (answer == Answer::later) {
      phase = tlm::END_REQ;
      return tlm::TLM_UPDATED;
    }
    b_transport(payload, delay);
    if (answer == Answer::completed) return tlm::TLM_COMPLETED;
    phase = tlm::BEGIN_RESP;
    return tlm::TLM_UPDATED;
  }
  void respond(tlm::tlm_generic_payload& payload) {
    payload.set_response_status(status);
    tlm::tlm_phase phase = tlm::BEGIN_RESP;
    sc_core::sc_time delay;
    socket->nb_transport_bw(payload, phase, delay);
  }
  unsigned debug(tlm::tlm_generic_payload&) { return 5; }
  bool direct_memory(tlm::tlm_generic_payload&, tlm::tlm_dmi& dmi) {
    dmi.set_dmi_ptr(memory.data());
    dmi.allow_read_write();
    return true;
  }
};

struct Initiator : sc_core::sc_module {
  tlm_utils::simple_initiator_socket<Initiator> socket{"socket"};
  unsigned responses = 0;

  explicit Initiator(sc_core::sc_module_name name) : sc_module(name) {
    socket.register_nb_transport_bw(this, &Initiator::nb_transport_bw);
  }
  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload&, tlm::tlm_phase& phase, sc_core::sc_time&) {
    responses += phase == tlm::BEGIN_RESP ? 1 : 0;
    return tlm::TLM_COMPLETED;
  }
};

}  // namespace

TEST_CASE("a socket monitor passes all of the base protocol and shows each transaction once", "[monitor]") {
  const SimulationContext context;
  std::vector<std::pair<u32, u64>> seen;
  sc_core::sc_time took;
  SocketMonitor monitor("monitor", 2,
                        [&](u32 port, const tlm::tlm_generic_payload& payload, const SocketMonitor::Span& span) {
                          took = span.end - span.begin;
                          seen.emplace_back(port, payload.get_address());
                        });
  Initiator initiators[] = {Initiator("initiator0"), Initiator("initiator1")};
  Target targets[] = {Target("target0"), Target("target1")};
  for (std::size_t i = 0; i < 2; ++i) {
    initiators[i].socket.bind(monitor.from[i]);
    monitor.to[i].bind(targets[i].socket);
  }
  sc_core::sc_start(ns);
  tlm::tlm_generic_payload payload;
  payload.set_read();
  payload.set_address(0x40);
  sc_core::sc_time delay = 3 * ns;

  SECTION("blocking") {
    initiators[1].socket->b_transport(payload, delay);
    CHECK(delay == 10 * ns);
    CHECK(took == 7 * ns);
    CHECK(payload.is_response_ok());
    CHECK(seen == decltype(seen){{1, 0x40}});
    targets[1].status = tlm::TLM_ADDRESS_ERROR_RESPONSE;
    initiators[1].socket->b_transport(payload, delay);
    CHECK(payload.get_response_status() == tlm::TLM_ADDRESS_ERROR_RESPONSE);
    CHECK(seen.size() == 1);
  }
  SECTION("non-blocking, answered at once") {
    for (const Answer answer : {Answer::completed, Answer::updated}) {
      seen.clear();
      targets[0].answer = answer;
      tlm::tlm_phase phase = tlm::BEGIN_REQ;
      const bool done = initiators[0].socket->nb_transport_fw(payload, phase, delay) == tlm::TLM_COMPLETED;
      CHECK(done == (answer == Answer::completed));
      if (!done) {
        CHECK(phase == tlm::BEGIN_RESP);
        phase = tlm::END_RESP;
        CHECK(initiators[0].socket->nb_transport_fw(payload, phase, delay) == tlm::TLM_COMPLETED);
      }
      CHECK(seen == decltype(seen){{0, 0x40}});
    }
  }
  SECTION("non-blocking, answered later") {
    targets[1].answer = Answer::later;
    tlm::tlm_phase phase = tlm::BEGIN_REQ;
    CHECK(initiators[1].socket->nb_transport_fw(payload, phase, delay) == tlm::TLM_UPDATED);
    CHECK(seen.empty());
    targets[1].respond(payload);
    CHECK(initiators[1].responses == 1);
    CHECK(seen == decltype(seen){{1, 0x40}});
    targets[1].status = tlm::TLM_GENERIC_ERROR_RESPONSE;
    targets[1].respond(payload);
    CHECK(initiators[1].responses == 2);
    CHECK(seen.size() == 1);
  }
  SECTION("what cannot be seen") {
    CHECK(initiators[0].socket->transport_dbg(payload) == 5);
    tlm::tlm_dmi dmi;
    CHECK_FALSE(initiators[0].socket->get_direct_mem_ptr(payload, dmi));
    CHECK(dmi.is_none_allowed());
    CHECK(seen.empty());
  }
}

// ---------------------------------------------------------------- scratchpad and mesh

namespace {

struct Dimensions {
  i64 rows, columns, lanes;
};

struct Initiators : sc_core::sc_module {
  sc_core::sc_vector<tlm_utils::simple_initiator_socket<Initiators>> socket;

  Initiators(sc_core::sc_module_name name, std::size_t count) : sc_module(name), socket("socket", count) {}
  template <typename Extension = TimingOnly>
  bool send(std::size_t from, tlm::tlm_command command, u64 address, u8* data, std::size_t bytes,
            Extension* extension = nullptr) {
    tlm::tlm_generic_payload payload;
    payload.set_command(command);
    payload.set_address(address);
    payload.set_data_ptr(data);
    payload.set_data_length(static_cast<unsigned>(bytes));
    payload.set_streaming_width(static_cast<unsigned>(bytes));
    if (extension != nullptr) payload.set_extension(extension);
    sc_core::sc_time delay;
    socket[from]->b_transport(payload, delay);
    if (extension != nullptr) payload.clear_extension(extension);
    return payload.is_response_ok();
  }
};

struct Sinks : sc_core::sc_module {
  sc_core::sc_vector<tlm_utils::simple_target_socket<Sinks>> socket;

  Sinks(sc_core::sc_module_name name, std::size_t count) : sc_module(name), socket("socket", count) {
    for (auto& one : socket) one.register_b_transport(this, &Sinks::receive);
  }
  void receive(tlm::tlm_generic_payload& payload, sc_core::sc_time&) {
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }
};

struct SizedArray : ArrayParameters {
  SizedArray(ParameterGroup* parent, const Dimensions& size) : ArrayParameters(parent) {
    rows = size.rows;
    columns = size.columns;
    lanes = size.lanes;
  }
};

constexpr Dimensions some_arrays[] = {{4, 4, 32}, {2, 8, 8}, {3, 5, 16}};

}  // namespace

TEST_CASE("scratchpad monitor: rows by every port, and hops of the PEs' vectors", "[monitor]") {
  const Dimensions size = GENERATE(from_range(std::begin(some_arrays), std::end(some_arrays)));
  const SimulationContext context;
  ParameterGroup root("test");
  const SizedArray array(&root, size);
  const ScratchpadParameters parameters(&root);
  const ClockDomain clock(1e9);
  StatGroup stats("test"), monitors("monitors");
  CycleAgenda agenda("agenda", clock);
  Scratchpad scratchpad("scratchpad", array, parameters, clock, agenda, stats);
  ScratchpadMonitor monitor("monitor", array, clock, monitors);
  const auto pes = static_cast<std::size_t>(size.rows * size.columns);
  Initiators initiators("initiators", pes + 1);
  for (std::size_t i = 0; i < pes; ++i) {
    initiators.socket[i].bind(monitor.vector.from[i]);
    monitor.vector.to[i].bind(scratchpad.vector[i]);
  }
  initiators.socket[pes].bind(monitor.linear.from[0]);
  monitor.linear.to[0].bind(scratchpad.linear);
  sc_core::sc_start(clock.period());

  std::mt19937 random(7);
  const u64 row = 2 * static_cast<u64>(size.lanes);
  std::vector<u8> data(4096);
  u64 reads = 0, writes = 0, hops = 0;
  for (int i = 0; i < 200; ++i) {
    const bool read = random() % 2 == 0;
    const auto command = read ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND;
    u64& expected = read ? reads : writes;
    const std::size_t pe = random() % pes;
    std::vector<u32> addresses(random() % (4096 / row));
    for (u32& address : addresses) address = static_cast<u32>(random() % 64 * row);
    VectorAccess access;
    access.addresses = addresses.data();
    access.count = static_cast<u32>(addresses.size());
    access.lanes = static_cast<u32>(size.lanes);
    if (i % 4 == 0) {
      access.untimed_copies = static_cast<u32>(pes);
      access.untimed_hops = static_cast<u32>(random() % 100);
    }
    REQUIRE(initiators.send(pe, command, 0, data.data(), addresses.size() * row, &access));
    expected += addresses.size() * (i % 4 == 0 ? pes : 1);
    hops += addresses.size() * (i % 4 == 0 ? access.untimed_hops : pe % static_cast<u64>(size.columns));

    const u64 address = random() % 1000, bytes = 1 + random() % 500;
    REQUIRE(initiators.send(pes, command, address, data.data(), bytes));
    std::set<u64> rows;
    for (u64 byte = address; byte < address + bytes; ++byte) rows.insert(byte / row);
    expected += rows.size();
  }
  const StatGroup& counted = monitors.child("monitor");
  CHECK(counted.counter("row_read").value() == reads);
  CHECK(counted.counter("row_write").value() == writes);
  CHECK(counted.counter("vector_hop").value() == hops);

  // Data that is moved without being counted, and what the scratchpad refuses.
  const BulkData::Run run{0, 64};
  BulkData moved;
  moved.runs = &run;
  moved.count = 1;
  CHECK(initiators.send(pes, tlm::TLM_IGNORE_COMMAND, 0, data.data(), 64, &moved));
  CHECK_FALSE(initiators.send(pes, tlm::TLM_READ_COMMAND, scratchpad.size(), data.data(), 64));
  const u32 outside = static_cast<u32>(scratchpad.size());
  VectorAccess wrong;
  wrong.addresses = &outside;
  wrong.count = 1;
  wrong.lanes = static_cast<u32>(size.lanes);
  CHECK_FALSE(initiators.send(0, tlm::TLM_READ_COMMAND, 0, data.data(), row, &wrong));
  CHECK(counted.counter("row_read").value() == reads);
}

TEST_CASE("scratchpad monitor: bulk traffic touches as many rows as its samples", "[monitor]") {
  const SimulationContext context;
  ParameterGroup root("test");
  const SizedArray array(&root, {2, 2, 32});
  const ScratchpadParameters parameters(&root);
  const ClockDomain clock(1e9);
  StatGroup stats("test"), monitors("monitors");
  CycleAgenda agenda("agenda", clock);
  Scratchpad scratchpad("scratchpad", array, parameters, clock, agenda, stats);
  ScratchpadMonitor monitor("monitor", array, clock, monitors);
  Initiators initiators("initiators", 5);
  for (std::size_t i = 0; i < 4; ++i) {
    initiators.socket[i].bind(monitor.vector.from[i]);
    monitor.vector.to[i].bind(scratchpad.vector[i]);
  }
  initiators.socket[4].bind(monitor.linear.from[0]);
  monitor.linear.to[0].bind(scratchpad.linear);
  sc_core::sc_start(clock.period());

  std::vector<u8> data(4096);
  const auto move_bulk = [&](u64 pattern, bool write, u64 bytes) {
    BulkTraffic bulk;
    bulk.pattern = pattern;
    bulk.write = write;
    bulk.requests = 1;
    bulk.bytes = bytes;
    REQUIRE(initiators.send(4, tlm::TLM_IGNORE_COMMAND, 0, data.data(), 64, &bulk));
  };
  const auto access = [&](u64 pattern, tlm::tlm_command command, u64 address, u64 bytes) {
    SampledTraffic sampled;
    sampled.pattern = pattern;
    REQUIRE(initiators.send(4, command, address, data.data(), bytes, &sampled));
  };
  const auto& reads = monitors.child("monitor").counter("row_read");
  const auto& writes = monitors.child("monitor").counter("row_write");

  // Nothing has been seen yet: whole rows of 64 bytes.
  move_bulk(1, false, 640);
  CHECK(reads.value() == 10);
  // Pattern 1 reads 16 bytes of a row and writes whole ones; pattern 2 reads one row's bytes from two.
  for (u64 i = 0; i < 10; ++i) {
    access(1, tlm::TLM_READ_COMMAND, 256 * i, 16);
    access(1, tlm::TLM_WRITE_COMMAND, 256 * i, 128);
  }
  for (u64 i = 0; i < 10; ++i) access(2, tlm::TLM_READ_COMMAND, 256 * i + 32, 64);
  CHECK(reads.value() == 10 + 10 + 20);
  CHECK(writes.value() == 20);
  move_bulk(1, false, 1600);
  CHECK(reads.value() == 40 + 100);
  move_bulk(1, true, 1280);
  CHECK(writes.value() == 20 + 20);
  move_bulk(2, false, 6400);
  CHECK(reads.value() == 140 + 200);
  // What is no sample says nothing of them.
  REQUIRE(initiators.send(4, tlm::TLM_READ_COMMAND, 0, data.data(), 1));
  move_bulk(2, false, 6400);
  CHECK(reads.value() == 341 + 200);
}

TEST_CASE("mesh monitor: hops are what the links carry", "[monitor]") {
  const Dimensions size = GENERATE(from_range(std::begin(some_arrays), std::end(some_arrays)));
  const bool skip_links = GENERATE(false, true);
  const SimulationContext context;
  ParameterGroup root("test");
  const SizedArray array(&root, size);
  MeshParameters parameters(&root);
  parameters.skip_links = skip_links;
  const ClockDomain clock(1e9);
  StatGroup stats("test"), monitors("monitors");
  Mesh mesh("mesh", array, parameters, clock, stats);
  MeshMonitor monitor("monitor", array, clock, monitors);
  const std::size_t pes = mesh.from_pe.size();
  Initiators initiators("initiators", pes);
  Sinks sinks("sinks", pes);
  for (std::size_t i = 0; i < pes; ++i) {
    initiators.socket[i].bind(monitor.from_pe.from[i]);
    monitor.from_pe.to[i].bind(mesh.from_pe[i]);
    mesh.to_pe[i].bind(sinks.socket[i]);
  }
  sc_core::sc_start(clock.period());

  std::mt19937 random(7);
  std::vector<u8> data(16 * 2 * static_cast<std::size_t>(size.lanes));
  const std::vector<u16> slots(16);
  u64 untimed = 0, tokens = 0;
  for (int i = 0; i < 300; ++i) {
    FlowPacket packet;
    packet.source = static_cast<u32>(random() % pes);
    packet.destination = static_cast<u32>(random() % pes);
    packet.slots = slots.data();
    packet.count = static_cast<u32>(random() % 17);
    if (i % 3 == 0) {
      packet.untimed_copies = 4;
      packet.untimed_hops = static_cast<u32>(random() % 100);
      (packet.count == 0 ? tokens : untimed) += u64{std::max(1u, packet.count)} * packet.untimed_hops;
    } else if (packet.count == 0) {
      const auto columns = static_cast<i64>(size.columns), from = i64{packet.source}, to = i64{packet.destination};
      tokens += static_cast<u64>(std::abs(from % columns - to % columns) + std::abs(from / columns - to / columns));
    }
    REQUIRE(initiators.send(packet.source, tlm::TLM_WRITE_COMMAND, 0, data.data(),
                            packet.count * 2 * static_cast<std::size_t>(size.lanes), &packet));
  }
  u64 carried = 0;
  for (u32 y = 0; y < size.rows; ++y) {
    for (u32 x = 0; x < size.columns; ++x) {
      for (const LinkDirection near :
           {LinkDirection::east, LinkDirection::west, LinkDirection::south, LinkDirection::north}) {
        carried += mesh.link_vectors(x, y, near);
      }
      for (const LinkDirection far :
           {LinkDirection::east_skip, LinkDirection::west_skip, LinkDirection::south_skip, LinkDirection::north_skip}) {
        carried += 2 * mesh.link_vectors(x, y, far);
      }
    }
  }
  const StatGroup& counted = monitors.child("monitor");
  CHECK(counted.counter("vector_hop").value() == carried + untimed);
  CHECK(counted.counter("control_hop").value() == tokens);
}
