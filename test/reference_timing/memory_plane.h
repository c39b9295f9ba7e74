// SPDX-License-Identifier: Apache-2.0
// The scratchpad's banks and the way to them, cycle by cycle: docs/models/scratchpad.md.
#pragma once

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
    std::uint64_t burst = 0;    // number of the segment's firing, in the order in which they were started
    unsigned rank = 0;          // of its PE within the cycle of issue
  };
  struct Return {
    unsigned pe;
    bool store;
    std::uint64_t number;
  };

  explicit MemoryPlane(const Machine& machine);

  /// A vector that a PE issues now.
  void request(const Request& request, Cycle now);
  /// Vectors of loads that arrive now, and of stores that are done.
  [[nodiscard]] std::vector<Return> take_returns(Cycle now);
  /// The banks serve.
  void tick(Cycle now);

 private:
  struct Waiting {
    Request request;
    Cycle arrival;
  };
  [[nodiscard]] unsigned bank_of(std::uint32_t address) const;
  [[nodiscard]] Cycle hops(unsigned pe) const { return Cycle{machine_.hop_latency} * (pe % machine_.columns); }
  [[nodiscard]] bool goes_before(const Waiting& a, const Waiting& b) const;

  const Machine machine_;
  std::vector<std::vector<Waiting>> banks_;
  std::vector<std::vector<Return>> returns_;  // by cycle, modulo their number
};

}  // namespace bvp::ticking
