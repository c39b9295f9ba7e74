// SPDX-License-Identifier: Apache-2.0
// What lies where in the scratchpad while a task runs.
#pragma once

#include <algorithm>
#include <array>
#include <optional>

#include "models/base/types.h"
#include "platform/program/layout.h"

namespace bvp {

/// A matrix that stays in the scratchpad from the task that writes it to the task that reads it, as panels of all rows.
struct ResidentMatrix {
  u32 offset = 0;  // from the beginning of the scratchpad
  PanelLayout layout;
  u64 columns = 0;
};

/// Both halves have, from their beginning on: the buffers of a tile, resident matrices, and the weight area. A resident
/// matrix lies in one half, and tiles have as much room as the fuller half leaves them.
class ScratchpadMap {
 public:
  /// @param unit  bytes of which addresses of matrices are multiples
  ScratchpadMap(u64 half_bytes, u64 weight_area, u64 unit)
      : half_bytes_(half_bytes),
        unit_(unit),
        free_{half_bytes - std::min(half_bytes, weight_area), half_bytes - std::min(half_bytes, weight_area)},
        all_(free_[0]) {}

  /// Gives a matrix its place, in the half that has more room. nullopt: it fits neither.
  [[nodiscard]] std::optional<ResidentMatrix> place(const PanelLayout& layout, u64 columns) {
    const std::size_t half = free_[1] > free_[0] ? 1 : 0;
    const u64 bytes = (u64{layout.panel_bytes()} * layout.panels(columns) + unit_ - 1) / unit_ * unit_;
    const u64 end = free_[half] / unit_ * unit_;
    if (bytes > end) return std::nullopt;
    free_[half] = end - bytes;
    return ResidentMatrix{static_cast<u32>(half * half_bytes_ + free_[half]), layout, columns};
  }
  /// Bytes of each half that tiles leave to resident matrices.
  [[nodiscard]] u64 resident_bytes() const { return all_ - std::min(free_[0], free_[1]); }

 private:
  u64 half_bytes_, unit_;
  std::array<u64, 2> free_;  // bytes at the beginning of each half
  u64 all_;
};

}  // namespace bvp
