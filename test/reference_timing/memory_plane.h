// SPDX-License-Identifier: Apache-2.0
// The scratchpad's banks and the way to them, cycle by cycle: docs/models/scratchpad.md.
#pragma once

#include <utility>
#include <vector>

#include "test/reference_timing/machine.h"

namespace bvp::ticking {

class MemoryPlane {
 public:
  struct Request {
    unsigned pe = 0;  // row-major
    bool store = false;
    std::uint64_t number = 0;   // of its unit's vectors
    std::uint32_t address = 0;  // as in a kernel: bytes, bit 31 for a column
    std::uint64_t firing = 0;   // number of the segment's firing, in the order in which they were started
  };
  struct Return {
    unsigned pe;
    std::uint64_t number;
  };

  explicit MemoryPlane(const Machine& machine);

  /// Whether a PE's Load or Store may issue a vector in this cycle, as far as the way to the banks has room.
  [[nodiscard]] bool has_room(unsigned pe, bool store, Cycle now);
  /// A vector that a PE issues now.
  void request(const Request& request, Cycle now);
  /// Vectors of loads that can be read from this cycle on unless the operand memory has no port for them.
  [[nodiscard]] std::vector<Return> take_loads(Cycle cycle) { return loads_.take(cycle); }
  /// Vectors of stores that are done in this cycle.
  [[nodiscard]] std::vector<Return> take_stores(Cycle cycle) { return stores_.take(cycle); }
  /// The banks serve; returns the vectors of loads among what they have served.
  [[nodiscard]] std::vector<Return> tick(Cycle now);

 private:
  struct Waiting {
    Request request;
    Cycle arrival;
  };
  [[nodiscard]] unsigned bank_of(std::uint32_t address) const;
  [[nodiscard]] Cycle hops(unsigned pe) const {
    return Cycle{machine_.scratchpad.hop_latency} * (pe % machine_.columns);
  }
  [[nodiscard]] Cycle way_there(unsigned pe) const { return machine_.scratchpad.request_latency + hops(pe); }
  [[nodiscard]] static unsigned channel(unsigned pe, bool store) { return 2 * pe + (store ? 1 : 0); }
  struct Bank {
    using Place = std::vector<Waiting>::iterator;
    std::vector<Waiting> waiting;
    unsigned last_served = 0;  // channel
  };
  struct Queue {  // of a channel
    unsigned taken = 0;
    std::vector<Cycle> free_again;  // entries whose vectors have been served
  };
  /// What comes back, by cycle, modulo their number.
  struct Back {
    std::vector<std::vector<Return>> at;
    std::vector<Return> take(Cycle cycle) { return std::exchange(at[cycle % at.size()], {}); }
    void add(Cycle cycle, const Return& one) { at[cycle % at.size()].push_back(one); }
  };
  /// Whether the vector may be served now: none of its channel is before it, and its PE's return port is free.
  [[nodiscard]] bool eligible(const Bank& bank, const Waiting& waiting, Cycle now) const;
  [[nodiscard]] bool goes_before(const Bank& bank, const Waiting& a, const Waiting& b) const;
  /// The end of those that wait: none of them can be served.
  [[nodiscard]] Bank::Place next_of(Bank& bank, Cycle now) const;
  void serve(Bank& bank, Bank::Place chosen, Cycle now, std::vector<Return>& loads);

  const Machine machine_;
  std::vector<Bank> banks_;
  std::vector<Queue> queues_;       // by channel
  std::vector<unsigned> returned_;  // by PE: its loads served in the present cycle
  Back loads_, stores_;
};

}  // namespace bvp::ticking
