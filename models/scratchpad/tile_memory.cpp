// SPDX-License-Identifier: Apache-2.0
#include "models/scratchpad/tile_memory.h"

#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace bvp {

namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::size_t block = 8;

/// Transposes 8 x 8 words, also in place; rows lie `from_pitch` and `to_pitch` bytes apart.
void transpose_block(const u8* from, std::size_t from_pitch, u8* to, std::size_t to_pitch) {
#if HWY_TARGET != HWY_SCALAR
  const hn::FixedTag<u16, 8> d16;
  const hn::FixedTag<u32, 4> d32;
  const hn::FixedTag<u64, 2> d64;
  const auto load = [&](std::size_t row) {
    return hn::LoadU(d16, reinterpret_cast<const u16*>(from + row * from_pitch));
  };
  const auto store = [&](std::size_t row, auto words) {
    hn::StoreU(hn::BitCast(d16, words), d16, reinterpret_cast<u16*>(to + row * to_pitch));
  };
  const auto pairs = [&](auto a, auto b, auto&& next) {
    next(hn::BitCast(d32, hn::InterleaveLower(d16, a, b)), hn::BitCast(d32, hn::InterleaveUpper(d16, a, b)));
  };
  pairs(load(0), load(1), [&](auto a0, auto a1) {
    pairs(load(2), load(3), [&](auto b0, auto b1) {
      pairs(load(4), load(5), [&](auto c0, auto c1) {
        pairs(load(6), load(7), [&](auto e0, auto e1) {
          const auto quads = [&](std::size_t row, auto a, auto b, auto c, auto e) {
            const auto low = hn::BitCast(d64, hn::InterleaveLower(d32, a, b));
            const auto high = hn::BitCast(d64, hn::InterleaveUpper(d32, a, b));
            const auto low2 = hn::BitCast(d64, hn::InterleaveLower(d32, c, e));
            const auto high2 = hn::BitCast(d64, hn::InterleaveUpper(d32, c, e));
            store(row, hn::InterleaveLower(d64, low, low2));
            store(row + 1, hn::InterleaveUpper(d64, low, low2));
            store(row + 2, hn::InterleaveLower(d64, high, high2));
            store(row + 3, hn::InterleaveUpper(d64, high, high2));
          };
          quads(0, a0, b0, c0, e0);
          quads(4, a1, b1, c1, e1);
        });
      });
    });
  });
#else
  std::array<u16, block * block> words;
  for (std::size_t row = 0; row < block; ++row) {
    for (std::size_t column = 0; column < block; ++column) {
      std::memcpy(&words[column * block + row], from + row * from_pitch + column * 2, 2);
    }
  }
  for (std::size_t row = 0; row < block; ++row) std::memcpy(to + row * to_pitch, &words[row * block], block * 2);
#endif
}

/// Transposes lanes x lanes words in place.
void transpose_tile(u8* tile, u32 lanes) {
  const std::size_t pitch = std::size_t{lanes} * 2;
  if (lanes < block) {
    auto* const words = reinterpret_cast<u16*>(tile);
    for (std::size_t row = 0; row < lanes; ++row) {
      for (std::size_t column = 0; column < row; ++column)
        std::swap(words[row * lanes + column], words[column * lanes + row]);
    }
    return;
  }
  std::array<u16, block * block> other;
  for (std::size_t row = 0; row < lanes; row += block) {
    transpose_block(tile + row * pitch + row * 2, pitch, tile + row * pitch + row * 2, pitch);
    for (std::size_t column = 0; column < row; column += block) {
      u8* const below = tile + row * pitch + column * 2;
      u8* const above = tile + column * pitch + row * 2;
      transpose_block(below, pitch, reinterpret_cast<u8*>(other.data()), block * 2);
      transpose_block(above, pitch, below, pitch);
      for (std::size_t i = 0; i < block; ++i) std::memcpy(above + i * pitch, &other[i * block], block * 2);
    }
  }
}

unsigned log2_of(u64 power_of_two) { return static_cast<unsigned>(__builtin_ctzll(power_of_two)); }

}  // namespace

TileMemory::TileMemory(u64 bytes, u32 lanes)
    : lanes_(lanes),
      tile_shift_(log2_of(2 * u64{lanes} * lanes)),
      by_column_(bytes >> tile_shift_, 0),
      bytes_("scratchpad", bytes) {}

void TileMemory::turn(u64 tile) {
  transpose_tile(bytes_.data() + (tile << tile_shift_), lanes_);
  by_column_[tile] ^= 1;
}

template <class Use>
void TileMemory::for_pieces(u64 offset, u64 count, bool overwrites, const Use& use) {
  while (count != 0) {
    const u64 tile = offset >> tile_shift_;
    const u64 piece = std::min(count, ((tile + 1) << tile_shift_) - offset);
    if (by_column_[tile] != 0 && !(overwrites && piece >> tile_shift_ != 0)) turn(tile);
    by_column_[tile] = 0;
    use(bytes_.data() + offset, piece);
    offset += piece;
    count -= piece;
  }
}

bool TileMemory::all_finite(u64 offset, u64 count) const {
  if (count == 0) return true;
  const u64 first = offset >> tile_shift_ << tile_shift_;
  const u64 end = std::min(((offset + count - 1) >> tile_shift_) + 1, u64{by_column_.size()}) << tile_shift_;
  const auto* const words = reinterpret_cast<const u16*>(bytes_.data());
  constexpr u16 infinity = 0x7c00;
#if HWY_TARGET != HWY_SCALAR
  const hn::FixedTag<u16, 8> d;
  const auto exponent = hn::Set(d, infinity);
  u64 word = first / 2;
  for (constexpr u64 step = 512; word + step <= end / 2; word += step) {
    auto found = hn::Eq(exponent, hn::Zero(d));
    for (u64 i = 0; i < step; i += hn::Lanes(d)) {
      found = hn::Or(found, hn::Eq(hn::And(hn::LoadU(d, words + word + i), exponent), exponent));
    }
    if (!hn::AllFalse(d, found)) return false;
  }
#else
  u64 word = first / 2;
#endif
  return std::all_of(words + word, words + end / 2, [](u16 half) { return (half & infinity) != infinity; });
}

void TileMemory::read(u64 offset, u64 count, u8* to) {
  for_pieces(offset, count, false, [&](const u8* where, u64 piece) {
    std::memcpy(to, where, piece);
    to += piece;
  });
}

void TileMemory::write(u64 offset, u64 count, const u8* from) {
  for_pieces(offset, count, true, [&](u8* where, u64 piece) {
    std::memcpy(where, from, piece);
    from += piece;
  });
}

}  // namespace bvp
