// SPDX-License-Identifier: Apache-2.0
#include "models/scratchpad/tile_moves.h"

#include <hwy/highway.h>

#include <cstring>

namespace bvp {

namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr u32 block = 8;

/// Transposes 8 x 8 words; rows lie `from_pitch` and `to_pitch` bytes apart.
void transpose_block(const u8* from, std::size_t from_pitch, u8* to, std::size_t to_pitch) {
#if HWY_TARGET != HWY_SCALAR
  const hn::FixedTag<u16, 8> d16;
  const hn::FixedTag<u32, 4> d32;
  const hn::FixedTag<u64, 2> d64;
  const auto load = [&](u32 row) { return hn::LoadU(d16, reinterpret_cast<const u16*>(from + row * from_pitch)); };
  const auto store = [&](u32 row, auto words) {
    hn::StoreU(hn::BitCast(d16, words), d16, reinterpret_cast<u16*>(to + row * to_pitch));
  };
  const auto pairs = [&](auto a, auto b, auto&& next) {
    next(hn::BitCast(d32, hn::InterleaveLower(d16, a, b)), hn::BitCast(d32, hn::InterleaveUpper(d16, a, b)));
  };
  pairs(load(0), load(1), [&](auto a0, auto a1) {
    pairs(load(2), load(3), [&](auto b0, auto b1) {
      pairs(load(4), load(5), [&](auto c0, auto c1) {
        pairs(load(6), load(7), [&](auto e0, auto e1) {
          const auto quads = [&](u32 row, auto a, auto b, auto c, auto e) {
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
  for (u32 row = 0; row < block; ++row) {
    for (u32 column = 0; column < block; ++column) {
      std::memcpy(to + column * to_pitch + row * 2, from + row * from_pitch + column * 2, 2);
    }
  }
#endif
}

}  // namespace

void gather_columns(const u8* first, u32 lanes, u32 count, u8* vectors) {
  const std::size_t pitch = std::size_t{lanes} * 2;
  const u32 blocked = lanes % block == 0 ? count / block * block : 0;
  for (std::size_t lane = 0; lane < lanes && blocked != 0; lane += block) {
    for (std::size_t column = 0; column < blocked; column += block) {
      transpose_block(first + lane * pitch + column * 2, pitch, vectors + column * pitch + lane * 2, pitch);
    }
  }
  for (std::size_t column = blocked; column < count; ++column) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      std::memcpy(vectors + column * pitch + lane * 2, first + lane * pitch + column * 2, 2);
    }
  }
}

void scatter_columns(u8* first, u32 lanes, u32 count, const u8* vectors) {
  const std::size_t pitch = std::size_t{lanes} * 2;
  const u32 blocked = lanes % block == 0 ? count / block * block : 0;
  for (std::size_t lane = 0; lane < lanes && blocked != 0; lane += block) {
    for (std::size_t column = 0; column < blocked; column += block) {
      transpose_block(vectors + column * pitch + lane * 2, pitch, first + lane * pitch + column * 2, pitch);
    }
  }
  for (std::size_t column = blocked; column < count; ++column) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      std::memcpy(first + lane * pitch + column * 2, vectors + column * pitch + lane * 2, 2);
    }
  }
}

}  // namespace bvp
