// SPDX-License-Identifier: Apache-2.0
#include "test/reference_timing/array.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <stdexcept>

#include "test/reference_timing/exchange_plane.h"
#include "test/reference_timing/memory_plane.h"

namespace bvp::ticking {

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
    for (const MemoryPlane::Return& answer : memory.take_returns(now)) {
      pes[kernel_pe(answer.pe)].vector_returned(answer.store, answer.number);
    }
    for (const Parcel& parcel : mesh.take_arrivals(now)) {
      if (parcel.edge != Parcel::no_edge) pes[kernel_pe(parcel.destination)].token_arrived(parcel.edge, now);
    }
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
    for (unsigned rank = 0; rank < count; ++rank) {
      const unsigned i = order[rank];
      for (const auto& vector : pes[i].issue(now)) {
        memory.request({position(i), vector.store, vector.number, vector.address, vector.burst, rank}, now);
      }
      if (const auto vector = pes[i].flow_vector(now)) {
        mesh.offer({position(i), position(i ^ vector->peer_mask), vector->packet, vector->place,
                    vector->edge.value_or(Parcel::no_edge)});
      }
    }
    memory.tick(now);
    const std::vector<unsigned> sent = mesh.tick(now);
    for (unsigned i = 0; i < count; ++i) {
      pes[i].end_of_cycle(std::find(sent.begin(), sent.end(), position(i)) != sent.end(), mesh.width(), now);
    }
  }
  throw std::runtime_error("the launch does not end");
}

}  // namespace bvp::ticking
