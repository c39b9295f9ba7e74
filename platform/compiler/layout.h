// SPDX-License-Identifier: Apache-2.0
// How matrices lie in the scratchpad.
#pragma once

#include "models/common/types.h"

namespace bvp {

/// A matrix of fp16 [rows][columns] as panels of `lanes` columns: panel p holds columns p*lanes.. of all rows,
/// row after row, so that lanes x lanes squares are the tiles that a scratchpad bank reads both ways.
struct PanelLayout {
  u32 lanes = 0;
  u32 rows = 0;  // a multiple of lanes

  [[nodiscard]] u32 row_bytes() const { return lanes * 2; }
  [[nodiscard]] u32 panel_bytes() const { return rows * row_bytes(); }
  [[nodiscard]] u32 group_bytes() const { return lanes * row_bytes(); }  // a lane group of rows within a panel
  [[nodiscard]] u32 panels(u64 columns) const { return static_cast<u32>((columns + lanes - 1) / lanes); }
  [[nodiscard]] u32 bytes(u64 columns) const { return panels(columns) * panel_bytes(); }
  /// Distance of columns c and c + 2^bit where bit `bit` of c is 0.
  [[nodiscard]] i32 column_stride(unsigned bit) const {
    const u32 distance = u32{1} << bit;
    return static_cast<i32>(distance < lanes ? distance * 2 : distance / lanes * panel_bytes());
  }
  [[nodiscard]] i32 row_stride(unsigned bit) const { return static_cast<i32>(row_bytes() << bit); }
};

}  // namespace bvp
