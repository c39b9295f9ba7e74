// SPDX-License-Identifier: Apache-2.0
// The scratchpad's bytes. The host keeps a tile of lanes x lanes values by rows or by columns, as it was used last, so
// that accesses that go on in the same direction are plain copies. Users of this class do not see which.
#pragma once

#include <vector>

#include "models/base/lazy_memory.h"
#include "models/base/types.h"

namespace bvp {

class TileMemory {
 public:
  /// Zeros. @param lanes  a power of two, at most 64
  /// @param bytes  a multiple of a tile of 2 * lanes * lanes bytes
  TileMemory(u64 bytes, u32 lanes);

  [[nodiscard]] u64 size() const { return by_column_.size() << tile_shift_; }
  [[nodiscard]] unsigned tile_shift() const { return tile_shift_; }

  /// The 2 * lanes bytes of the row at `offset`, a multiple of that; the pointer holds until the next access by column.
  u8* row(u64 offset) {
    const u64 tile = offset >> tile_shift_;
    if (by_column_[tile] != 0) turn(tile);
    return bytes_.data() + offset;
  }
  /// The column whose word in row 0 of its tile is at `offset`; the pointer holds until the next access by row.
  u8* column(u64 offset) {
    const u64 tile = offset >> tile_shift_;
    if (by_column_[tile] == 0) turn(tile);
    const u64 start = tile << tile_shift_;
    return bytes_.data() + start + (offset - start) * lanes_;
  }
  /// Whether all words of the tiles that these bytes touch are finite as fp16 values.
  [[nodiscard]] bool all_finite(u64 offset, u64 count) const;
  /// Any bytes within size().
  void read(u64 offset, u64 count, u8* to);
  void write(u64 offset, u64 count, const u8* from);

 private:
  void turn(u64 tile);
  /// Calls use(where, count) for the pieces of [offset, offset + count) in each tile, which lie by row then.
  template <class Use>
  void for_pieces(u64 offset, u64 count, bool overwrites, const Use& use);

  u32 lanes_;
  unsigned tile_shift_;
  std::vector<u8> by_column_;  // by tile: 1 or 0
  LazyMemory bytes_;
};

}  // namespace bvp
