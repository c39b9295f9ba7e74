// SPDX-License-Identifier: Apache-2.0
// Transposes the tiles of a matrix in the scratchpad, for machines whose scratchpad cannot be accessed by column.
#pragma once

#include <array>
#include <tuple>
#include <vector>

#include "models/isa/kernel.h"
#include "platform/compiler/target.h"
#include "platform/program/layout.h"

namespace bvp {

/// A pass of the transposition in place: within each tile, bits [first_bit, first_bit + bits) of the row and of the
/// column are exchanged. All passes together, in any order, transpose. An instance takes 2^bits rows of several tiles
/// and exchanges halves of them in `bits` layers: a butterfly whose layer k joins rows 2^k apart.
/// Launch register: the matrix. Launch counts: level 0 = lane groups of rows.
struct TransposeSpec {
  u32 panels = 0;
  PanelLayout layout;
  unsigned first_bit = 0, bits = 0;

  [[nodiscard]] auto tied() const { return std::tie(panels, layout, first_bit, bits); }
  friend bool operator<(const TransposeSpec& a, const TransposeSpec& b) { return a.tied() < b.tied(); }
};
namespace transpose_register {
inline constexpr unsigned matrix = 0;
}

struct TransposeKernel {
  Kernel kernel;
  std::array<u32, 3> counts{};     // of the instance levels 1..3
  u32 tiles_per_instance = 1;      // in neighbouring panels
  std::array<u32, 2> shared_by{};  // PEs along lane groups and panels
};

/// @param groups  lane groups of rows of a full launch
[[nodiscard]] TransposeKernel make_transpose_kernel(const CompilerTarget& target, const TransposeSpec& spec,
                                                    u32 groups);

/// The bits that each pass takes: as few passes as operand memory and instruction store allow.
[[nodiscard]] std::vector<unsigned> transpose_passes(const CompilerTarget& target);

}  // namespace bvp
