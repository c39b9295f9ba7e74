// SPDX-License-Identifier: Apache-2.0
// The places where a kernel's launch leaves meaningful values, for readers that inspect them.
#pragma once

#include <algorithm>
#include <array>
#include <optional>

#include "platform/program/layout.h"

namespace bvp {

/// A matrix of fp16 values in the scratchpad half. Values beyond the extents are padding that nobody reads.
struct KernelResult {
  /// Rows or columns: of a full tile, and of all tiles along one level of the task's tiles.
  struct Extent {
    u64 of_tile = 0, all = 0;
    unsigned level = 3;  // 3: all tiles have the same ones

    /// Index of the first row or column of the tile.
    [[nodiscard]] u64 first(const std::array<u32, 3>& tile) const { return level < 3 ? tile[level] * of_tile : 0; }
    [[nodiscard]] u64 count(const std::array<u32, 3>& tile) const {
      const u64 before = first(tile);
      return before >= all ? 0 : std::min(of_tile, all - before);
    }
  };
  u32 offset = 0;  // within the half
  PanelLayout layout;
  Extent rows, columns;
  std::optional<unsigned> launch_register = {};  // that says where the matrix lies, if it is not in the half
};

/// As many in every tile.
[[nodiscard]] inline KernelResult::Extent in_every_tile(u64 count) { return {count, count, 3}; }

}  // namespace bvp
