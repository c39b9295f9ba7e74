// SPDX-License-Identifier: Apache-2.0
// The scratchpad's bytes against a plain array, whatever the order of row, column and linear accesses.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "models/scratchpad/tile_memory.h"

using namespace bvp;

TEST_CASE("rows, columns and bytes of a tile memory are those of one array", "[scratchpad]") {
  for (const u32 lanes : {1u, 2u, 4u, 8u, 16u, 32u, 64u}) {
    INFO("lanes " << lanes);
    const u64 row = 2 * lanes, tile = row * lanes, size = 6 * tile;
    TileMemory memory(size, lanes);
    REQUIRE(memory.size() == size);
    std::vector<u8> plain(size, 0);
    std::mt19937 random(lanes);
    const auto below = [&](u64 limit) { return random() % limit; };
    u64 differences = 0;
    const auto word_of_column = [&](u64 start, u64 column, u64 i) { return start + i * row + 2 * column; };
    for (int step = 0; step < 2000; ++step) {
      std::vector<u8> bytes(size);
      std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<u8>(random()); });
      const u64 start = below(6) * tile, which = below(lanes);
      switch (below(6)) {
        case 0:
          std::copy_n(bytes.data(), row, memory.row(start + which * row));
          std::copy_n(bytes.data(), row, plain.data() + start + which * row);
          break;
        case 1:
          differences += !std::equal(plain.data() + start + which * row, plain.data() + start + (which + 1) * row,
                                     memory.row(start + which * row));
          break;
        case 2:
          std::copy_n(bytes.data(), row, memory.column(start + 2 * which));
          for (u64 i = 0; i < row; ++i) plain[word_of_column(start, which, i / 2) + i % 2] = bytes[i];
          break;
        case 3: {
          const u8* const column = memory.column(start + 2 * which);
          for (u64 i = 0; i < row; ++i) differences += column[i] != plain[word_of_column(start, which, i / 2) + i % 2];
          break;
        }
        case 4: {
          const u64 offset = below(3) == 0 ? start : below(size);
          const u64 count = below(3) == 0 ? std::min(tile, size - offset) : 1 + below(size - offset);
          memory.write(offset, count, bytes.data());
          std::copy_n(bytes.data(), count, plain.data() + offset);
          break;
        }
        default: {
          const u64 offset = below(size), count = 1 + below(size - offset);
          memory.read(offset, count, bytes.data());
          differences += !std::equal(bytes.data(), bytes.data() + count, plain.data() + offset);
        }
      }
    }
    CHECK(differences == 0);
  }
}
