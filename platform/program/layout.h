// SPDX-License-Identifier: Apache-2.0
// How matrices lie in the scratchpad.
#pragma once

#include <tuple>

#include "models/base/types.h"

namespace bvp {

/// How a kernel goes through a matrix: vectors along one of its dimensions, numbered along the other. Distances in
/// bytes.
struct VectorWalk {
  bool column_access = false;  // a vector is a column of a tile, not a row
  i32 group = 0;               // to the next `lanes` values along the same dimension
  i32 step = 0;                // to the next vector of the same tile
  i32 panel = 0;               // `lanes` vectors on

  [[nodiscard]] auto tied() const { return std::tie(column_access, group, step, panel); }
  friend bool operator<(const VectorWalk& a, const VectorWalk& b) { return a.tied() < b.tied(); }
};

/// A matrix of fp16 [rows][columns] as panels of `lanes` columns: panel p holds columns p*lanes.. of all rows,
/// row after row, so that lanes x lanes squares are the tiles that a scratchpad bank reads both ways.
struct PanelLayout {
  u32 lanes = 0;
  u32 rows = 0;  // a multiple of lanes, except in a packed buffer whose columns nobody takes
  /// The rows of each tile are the matrix's columns and the other way round; the tiles are where they always are.
  bool transposed = false;

  [[nodiscard]] auto tied() const { return std::tie(lanes, rows, transposed); }
  friend bool operator<(const PanelLayout& a, const PanelLayout& b) { return a.tied() < b.tied(); }

  [[nodiscard]] u32 row_bytes() const { return lanes * 2; }
  [[nodiscard]] u32 panel_bytes() const { return rows * row_bytes(); }
  [[nodiscard]] u32 group_bytes() const { return lanes * row_bytes(); }  // a lane group of rows within a panel
  [[nodiscard]] u32 panels(u64 columns) const { return static_cast<u32>((columns + lanes - 1) / lanes); }
  [[nodiscard]] u32 bytes(u64 columns) const { return panels(columns) * panel_bytes(); }
  /// Vectors of `lanes` rows of one column.
  [[nodiscard]] VectorWalk by_column() const {
    return {!transposed, static_cast<i32>(group_bytes()), static_cast<i32>(transposed ? row_bytes() : 2),
            static_cast<i32>(panel_bytes())};
  }
  /// Vectors of `lanes` columns of one row.
  [[nodiscard]] VectorWalk by_row() const {
    return {transposed, static_cast<i32>(panel_bytes()), static_cast<i32>(transposed ? 2 : row_bytes()),
            static_cast<i32>(group_bytes())};
  }
  /// Distance of columns c and c + 2^bit where bit `bit` of c is 0.
  [[nodiscard]] i32 column_stride(unsigned bit) const {
    const u32 distance = u32{1} << bit;
    const VectorWalk walk = by_column();
    return distance < lanes ? static_cast<i32>(distance) * walk.step : static_cast<i32>(distance / lanes) * walk.panel;
  }
  [[nodiscard]] i32 row_stride(unsigned bit) const { return static_cast<i32>(row_bytes() << bit); }
};

}  // namespace bvp
