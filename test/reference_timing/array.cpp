// SPDX-License-Identifier: Apache-2.0
#include "test/reference_timing/array.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <random>
#include <stdexcept>

#include "test/reference_timing/exchange_plane.h"
#include "test/reference_timing/memory_plane.h"

namespace bvp::ticking {

// This function is long because it is one cycle of the array from its beginning to its end.
Outcome run(const Machine& machine, const KernelImage& kernel, const std::vector<Launch>& launches, Cycle limit) {
  MemoryPlane memory(machine);
  ExchangePlane mesh(machine);
  std::vector<ProcessingElement> pes;
  const unsigned count = kernel.pe_rows * kernel.pe_columns;
  for (unsigned i = 0; i < count; ++i) pes.emplace_back(machine, kernel, i);
  // The kernel's PEs are the array's first rows and columns.
  const auto position = [&](unsigned i) { return i / kernel.pe_columns * machine.columns + i % kernel.pe_columns; };
  const auto kernel_pe = [&](unsigned at) { return at / machine.columns * kernel.pe_columns + at % machine.columns; };

  std::vector<unsigned> order(count);
  std::iota(order.begin(), order.end(), 0u);
  std::mt19937 random(machine.ties);
  if (machine.ties == 1) std::reverse(order.begin(), order.end());
  std::uint64_t next_firing = 0;
  for (Cycle now = 0; now < limit; ++now) {
    if (now == 0) {
      for (auto& pe : pes) {
        for (const Launch& launch : launches) pe.launch(launch, now);
      }
    }
    for (const Parcel& token : mesh.take_tokens(now)) {
      pes[kernel_pe(token.destination)].token_arrived(token.edge, now);
    }
    for (const MemoryPlane::Return& store : memory.take_stores(now)) {
      pes[kernel_pe(store.pe)].store_done(store.number);
    }
    for (auto& pe : pes) pe.begin_cycle(now);
    bool done = true;
    for (unsigned i = 0; i < count; ++i) {
      pes[i].end_of_firings(now);
      for (const auto& token : pes[i].take_tokens()) {
        mesh.send_token(position(i), position(i ^ token.peer_mask), token.edge, now);
      }
      done = done && pes[i].done();
    }
    if (done) {
      Outcome outcome;
      outcome.cycles = now;
      for (const auto& pe : pes) {
        for (unsigned unit = 0; unit < units; ++unit) {
          const UnitCycles& own = pe.cycles()[unit];
          UnitCycles& sum = outcome.unit[unit];
          sum.issue += own.issue;
          sum.special += own.special;
          sum.stall += own.stall;
          for (unsigned reason = 0; reason < wait_reasons; ++reason) sum.wait[reason] += own.wait[reason];
        }
      }
      return outcome;
    }

    if (machine.ties > 1) std::shuffle(order.begin(), order.end(), random);
    for (const unsigned i : order) pes[i].start_firings(now, next_firing);

    // What is there in the next cycle is written in this one.
    for (const MemoryPlane::Return& load : memory.take_loads(now + 1))
      pes[kernel_pe(load.pe)].load_arrives(load.number);
    mesh.tick_ejections(now);
    for (const Parcel& parcel : mesh.take_vectors(now + 1)) {
      std::optional<unsigned> edge;
      if (parcel.edge != Parcel::no_edge) edge = parcel.edge;
      pes[kernel_pe(parcel.destination)].flow_arrives(parcel.source, parcel.firing, parcel.slot, edge);
    }
    for (unsigned i = 0; i < count; ++i) {
      const unsigned at = position(i);
      for (const auto& vector : pes[i].work(now, memory.has_room(at, false, now), memory.has_room(at, true, now))) {
        memory.request({at, vector.store, vector.number, vector.address, vector.firing}, now);
      }
      if (const auto& vector = pes[i].flow_vector()) {
        mesh.offer({at, position(i ^ vector->peer_mask), vector->firing, vector->slot,
                    vector->edge.value_or(Parcel::no_edge)});
      }
    }
    for (const MemoryPlane::Return& load : memory.tick(now)) {
      pes[kernel_pe(load.pe)].load_served(load.number, next_firing);
    }
    const std::vector<unsigned> sent = mesh.tick(now);
    for (unsigned i = 0; i < count; ++i) {
      pes[i].end_cycle(std::find(sent.begin(), sent.end(), position(i)) != sent.end(), mesh.width(), now);
    }
  }
  throw std::runtime_error("the launch does not end");
}

}  // namespace bvp::ticking
