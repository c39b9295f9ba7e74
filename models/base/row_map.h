// SPDX-License-Identifier: Apache-2.0
// Which rows of the array kernels run on.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "models/base/types.h"

namespace bvp {

/// Kernels run on all rows but those that are left out: row r of a kernel is the r-th of them.
class RowMap {
 public:
  /// @param rows  of the array; none is left out
  explicit RowMap(u32 rows) : rows_(rows) {
    for (u32 row = 0; row < rows; ++row) used_.push_back(row);
  }

  /// Leaves out these rows and no others. Returns false, and changes nothing, if the array does not have one of them or
  /// if none would be left.
  /// @param mask  a bit for each row, that of row 0 is bit 0
  [[nodiscard]] bool leave_out(u32 mask) {
    if (u64{mask} >> rows_ != 0) return false;
    std::vector<u32> used;
    for (u32 row = 0; row < rows_; ++row) {
      if ((mask >> row & 1) == 0) used.push_back(row);
    }
    if (used.empty()) return false;
    used_ = std::move(used);
    left_out_ = mask;
    return true;
  }

  [[nodiscard]] u32 left_out() const { return left_out_; }
  /// Rows that are not left out.
  [[nodiscard]] u32 count() const { return static_cast<u32>(used_.size()); }
  /// The row of the array that is row `row` of a kernel.
  [[nodiscard]] u32 in_array(u32 row) const { return used_[row]; }
  /// The row of a kernel that is row `row` of the array; nullopt: it is left out.
  [[nodiscard]] std::optional<u32> in_kernel(u32 row) const {
    for (u32 i = 0; i < used_.size(); ++i) {
      if (used_[i] == row) return i;
    }
    return std::nullopt;
  }

 private:
  u32 rows_;
  u32 left_out_ = 0;
  std::vector<u32> used_;
};

}  // namespace bvp
