// SPDX-License-Identifier: Apache-2.0
// What a launch did in the loosely timed array, firing by firing. See lockstep_replay.cpp.
#pragma once

#include <array>
#include <vector>

#include "models/isa/instruction.h"
#include "models/isa/kernel.h"
#include "models/isa/launch.h"
#include "models/pe/program.h"
#include "models/pe/wait.h"

namespace bvp {

/// Cycles count from the arrival of the launch.
struct LaunchJournal {
  /// What makes launches of a kernel alike, but for the places where their data are.
  struct Key {
    std::array<u32, instance_levels> counts{};
    bool resident = false;
    std::array<u32, unit_count> last_served{};
    bool operator==(const Key& other) const {
      return counts == other.counts && resident == other.resident && last_served == other.last_served;
    }
  };
  struct Firing {
    Cycle at = 0;
    u32 segment = 0;
    Wait waited_for = Wait::launch;
    u64 waited = 0;  // summed over its PEs
    u32 tokens = 0;  // taken by each of its PEs
    u32 pes = 0;
    u64 hops = 0;  // of a vector on the memory plane, summed over the PEs
    u64 issue = 0, special = 0, stall = 0;
  };
  /// Vectors or tokens between PEs.
  struct Packets {
    Cycle at = 0;
    u32 mask = 0, vectors = 0;  // of each packet
    u32 packets = 0;
    u64 hops = 0;       // summed over the packets
    Cycle latency = 0;  // of a token
  };
  struct OfSegment {
    /// How far iterations take its streams; launch registers and rotation come on top.
    StreamBases lowest{}, highest{};
    bool fires = false;
  };
  /// What is left on a PE when the launch has ended: `unfinished` segments, if there are some that PE 0 has run for
  /// others, or else the end of its last one.
  struct Share {
    u32 unfinished = 0;
    Cycle end = 0;
  };
  struct Token {
    u32 edge = 0;
    Cycle at = 0;
  };

  Key key;
  std::vector<Firing> firings;
  std::vector<Packets> packets;
  Cycle cycles = 0;
  // What is left behind.
  std::array<u32, unit_count> last_served{};
  std::array<std::vector<Cycle>, unit_count> booked;  // by unit and PE, if PEs differ: see BookedUntil
  std::vector<OfSegment> segments;
  std::vector<Share> shares;       // by PE, if they differ
  std::vector<Token> late_tokens;  // that arrive when the launch has ended
};

}  // namespace bvp
