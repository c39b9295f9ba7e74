// SPDX-License-Identifier: Apache-2.0
// How far the banks of the scratchpad are behind in fast mode, where vectors take no time: a bank serves no more of
// them than its ports can, in whatever order the PEs come to it.
#pragma once

#include <vector>

#include "models/base/types.h"
#include "models/transport/vector_access.h"

namespace bvp {

class BankTurns {
 public:
  BankTurns(std::size_t banks, u32 ports) : ports_(ports), until_(banks, 0), asked_(banks, 0) {}

  /// The vectors of an access with turns come at `now`: sets its turns, turn_cycles and drain_cycles.
  /// @param bank_of_tile  by number of the tile
  /// @param tile_shift    bits of an offset within a tile
  void take(VectorAccess& access, const std::vector<u8>& bank_of_tile, u32 tile_shift, Cycle now);

 private:
  const u32 ports_;           // of a bank
  std::vector<Cycle> until_;  // by bank: when it has served all vectors that have come
  std::vector<u32> asked_;    // by bank: vectors of the access; 0 between accesses
};

}  // namespace bvp
