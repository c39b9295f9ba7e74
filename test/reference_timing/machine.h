// SPDX-License-Identifier: Apache-2.0
// The machine that the reference ticks, as plain numbers; what they mean is said in the parameters reference.
#pragma once

#include <cstdint>

namespace bvp::ticking {

using Cycle = std::uint64_t;

/// Which of the vectors that want a port of a bank in a cycle gets it.
enum class Arbiter : std::uint8_t {
  oldest_firing,  // that of the segment that was started first
  first_come,     // that which came to the bank first, among several in turn
  round_robin     // that of the next channel (loads or stores of a PE) behind the one served last
};

struct Machine {
  unsigned rows = 4, columns = 4, lanes = 32;

  struct Pe {
    unsigned operand_vectors = 256, accumulators = 32;
    /// Ports of a bank read or write a vector a cycle; banks 0: all vectors that want to be read or written are.
    unsigned operand_banks = 0, operand_ports = 1;
    bool operand_bank_hash = true;
    unsigned cal_latency = 4, max_latency = 2, special_latency = 8, special_divisor = 4;
    /// Whether a Cal segment waits for results of the one before that are still in a pipeline.
    bool hazards_across_segments = false;
    unsigned token_latency = 0;  // cycles from a token to the issue that it allows
  } pe;

  struct Scratchpad {
    unsigned banks = 16, bank_ports = 1;
    unsigned request_latency = 1, array_latency = 2, response_latency = 1, hop_latency = 1;
    unsigned outstanding = 16;
    Arbiter arbiter = Arbiter::oldest_firing;
    /// Vectors of a channel between their issue and the answer of the bank that has served them.
    unsigned queue_entries = ~0u;
    unsigned return_ports = ~0u;  // vectors that may come back to a PE in a cycle
  } scratchpad;

  struct Mesh {
    unsigned link_latency = 1, link_bytes = 0, ejection_latency = 1, buffer_entries = 2;
    bool skip_links = false;
    unsigned control_hop_latency = 1;
  } mesh;

  /// Who comes first of PEs that are equal otherwise: 0: the first in row-major order, 1: the last; above: an order
  /// drawn anew for each cycle, from this seed.
  unsigned ties = 0;

  [[nodiscard]] unsigned pes() const { return rows * columns; }
};

}  // namespace bvp::ticking
