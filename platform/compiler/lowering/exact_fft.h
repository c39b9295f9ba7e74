// SPDX-License-Identifier: Apache-2.0
// The parts of two-dimensional transforms whose lengths are no powers of two, in their complex form. See
// docs/how_it_works.md, "Exact lengths".
#pragma once

#include <optional>
#include <string>

#include "platform/compiler/ir/dram_plan.h"
#include "platform/compiler/kernels/residual_factor.h"
#include "platform/compiler/lowering/radix.h"
#include "platform/compiler/passes/tile.h"
#include "platform/network/exact_transform.h"

namespace bvp {

struct ExactFft {
  std::string along_tokens, along_hidden;  // names of the two transforms
  u32 layer = 0;
  u64 tokens = 0, hidden = 0, batch = 1;
  ExactScales scales;

  [[nodiscard]] ResidualFactor residual_factor() const;
};

/// Both planes between the transforms, if they stay in the scratchpad.
struct ResidentPlanes {
  ResidentMatrix re, im;
  u64 bytes = 0;  // of each half, kept for them
};

/// Between the transforms: a row of the imaginary plane follows the same row of the real one.
struct ExactPlanes {
  MatrixPlace both;                        // of twice as many rows
  std::optional<ResidentPlanes> resident;  // where they are instead; not of products with whole matrices
  [[nodiscard]] static ExactPlanes in(DramPlan& dram, u64 rows, u64 columns);
  [[nodiscard]] MatrixPlace re() const;
  [[nodiscard]] MatrixPlace im() const;
};

/// The transform of the rows of x along hidden, which is no power of two.
/// @param points  the points that it must have; absent: those that cost less
/// @throws CompileError  no form fits the machine
[[nodiscard]] ExactTasks exact_along_hidden(const TaskPlanner& plan, DramPlan& dram, ExactConstants& constants,
                                            const ExactFft& fft, const MatrixPlace& x, const ExactPlanes& planes,
                                            std::optional<u64> points);

/// The real part of the transform along the tokens, whose number is no power of two, with the residual.
[[nodiscard]] ExactTasks exact_along_tokens(const TaskPlanner& plan, DramPlan& dram, ExactConstants& constants,
                                            const ExactFft& fft, const ExactPlanes& planes, const MatrixPlace& residual,
                                            const MatrixPlace& mixed, std::optional<u64> points);

}  // namespace bvp
