// SPDX-License-Identifier: Apache-2.0
#include "models/scratchpad/fast/bank_turns.h"

#include <algorithm>

namespace bvp {

void BankTurns::take(VectorAccess& access, const std::vector<u8>& bank_of_tile, u32 tile_shift, Cycle now) {
  std::vector<Cycle>& turns = *access.turns;
  turns.resize(asked_.size(), 0);
  const std::size_t entries = access.entries();
  const auto tile_at = [&](std::size_t i) { return (access.addresses[i] & ~VectorAccess::column_flag) >> tile_shift; };
  // Vectors of one tile mostly follow each other.
  for (std::size_t begin = 0, end = 0; begin < entries; begin = end) {
    const u32 tile = tile_at(begin);
    for (end = begin + 1; end < entries && tile_at(end) == tile;) ++end;
    asked_[bank_of_tile[tile]] += static_cast<u32>(end - begin);
  }
  Cycle turn = now, drained = now;
  for (std::size_t bank = 0; bank < asked_.size(); ++bank) {
    Cycle& until = until_[bank];
    if (asked_[bank] != 0) {
      turn = std::max(turn, turns[bank]);
      until = std::max(until, now) + (asked_[bank] + ports_ - 1) / ports_;
      turns[bank] = until;
      asked_[bank] = 0;
    }
    drained = std::max(drained, until);
  }
  access.turn_cycles = turn - now;
  access.drain_cycles = drained - now;
}

}  // namespace bvp
