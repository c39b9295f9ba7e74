// SPDX-License-Identifier: Apache-2.0
// What transforms of lengths that are no powers of two have in common in their complex and in their real form. See
// docs/how_it_works.md, "Exact lengths".
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "platform/compiler/ir/dram_plan.h"
#include "platform/compiler/kernels/kernel_library.h"
#include "platform/compiler/passes/tile.h"

namespace bvp {

/// cos(2 pi i / n) and sin(2 pi i / n), rounded to fp16.
class Circle {
 public:
  explicit Circle(u64 n);
  [[nodiscard]] u16 cosine(u64 i) const { return cosines_[i % cosines_.size()]; }
  [[nodiscard]] u16 sine(u64 i) const { return sines_[i % sines_.size()]; }
  [[nodiscard]] u16 minus_sine(u64 i) const { return minus_sines_[i % minus_sines_.size()]; }

 private:
  std::vector<u16> cosines_, sines_, minus_sines_;
};
using SharedCircle = std::shared_ptr<const Circle>;

/// Matrices of cosines and sines, for all transforms of a network, once one of them needs them.
struct ExactConstants {
  std::optional<std::array<MatrixPlace, 2>> hidden;
  std::optional<MatrixPlace> tokens;
};

/// A transform and the points of the power-of-two transforms that are in it: 1 if it is one product with a matrix of
/// cosines and sines.
struct ExactTasks {
  Tasks tasks;
  u64 points = 1;
};

/// Where tasks have their matrices and constants.
struct ExactMemory {
  DramPlan& dram;
  ExactConstants& constants;
};

/// The form that costs less of those that fit.
/// @param points   the points that the transform must have; absent: those that cost less
/// @param split    gives the tasks with transforms of `split_points` points
/// @param product  gives those of a product with a constant matrix; it takes an ExactMemory
/// @throws CompileError  no form fits
template <class Split, class Product>
ExactTasks cheaper(const TaskPlanner& plan, const ExactMemory& memory, u64 split_points,
                   const std::optional<u64>& points, const Split& split, const Product& product) {
  std::optional<Tasks> in_split_form;
  if (points.value_or(split_points) > 1) {
    try {
      in_split_form = split();
    } catch (const CompileError&) {
      if (points) throw;
    }
  }
  if (!in_split_form) return {product(memory), 1};
  if (!points) {
    // What the product allocates only counts if it is taken.
    DramPlan dram = memory.dram;
    ExactConstants constants = memory.constants;
    try {
      if (plan.cost(product(ExactMemory{dram, constants})) <= plan.cost(*in_split_form)) return {product(memory), 1};
    } catch (const CompileError&) {
      // The constants or the tiles of the product do not fit.
    }
  }
  return {std::move(*in_split_form), split_points};
}

/// The weight of a term in a result, at a position (RadixKernel::words).
using RadixWeight = std::function<u16(u32 position, u32 result, u32 term)>;
/// Those that join transforms of `points` points of a complex input, taken apart by their positions (decimation in
/// time): to complex results, or to their real part.
[[nodiscard]] RadixWeight joining_weights(const SharedCircle& circle, u32 points, bool real_output);

/// A launch that joins parts, or takes them apart.
[[nodiscard]] LaunchStep radix_launch(TaskBuilder& task, const KernelLibrary& kernels, const std::string& name,
                                      const RadixSpec& spec, u32 groups, u32 tail_groups,
                                      std::vector<LaunchStep::Register> registers, const RadixWeight& weight);

/// A launch that brings columns of a tile in turn into blocks, or columns of blocks in turn (`spec`, but for layouts).
[[nodiscard]] LaunchStep interleave_launch(TaskBuilder& task, const KernelLibrary& kernels, const std::string& name,
                                           InterleaveSpec spec, const TileBuffer& x, const TileBuffer& y);

}  // namespace bvp
