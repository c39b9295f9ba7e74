// SPDX-License-Identifier: Apache-2.0
// Passes over the columns of rows, from which the kernels of layer normalisation and softmax are built.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <vector>

#include "platform/compiler/kernels/segment_builder.h"
#include "platform/compiler/target.h"
#include "platform/program/layout.h"

namespace bvp {

/// Number of interleaved parts in which these kernels sum up the columns of a row: at most 16, fewer if there are few
/// lanes or accumulators. Part j sums up the columns c with c mod ways = j.
[[nodiscard]] u32 sum_ways(const CompilerTarget& target);

/// Cycles that a lane group waits for sums and maxima of the other PEs that share it, an estimate.
[[nodiscard]] u64 row_exchange_cycles(u32 sharing);

/// Passes over the columns of a lane group of rows: one panel at a time (scope 2: instance levels 0 = lane group, 1 =
/// panel), then the columns of a last partial panel (scope 1). Of the PEs that share a lane group, the one at place p
/// takes the columns c with c mod sharing = p.
class RowPasses {
 public:
  RowPasses(const CompilerTarget& target, const PanelLayout& layout, u32 columns, u32 groups, unsigned launch_register);

  KernelBuilder& builder() { return builder_; }
  /// Columns that a pass buffer holds; with fewer columns than a panel only the tail exists.
  [[nodiscard]] u32 span() const { return (panels_ > 0 ? lanes_ : tail_) / sharing_; }
  /// Columns of a block of scalars: those of all PEs.
  [[nodiscard]] u32 scalar_span() const { return panels_ > 0 ? lanes_ : tail_; }
  [[nodiscard]] u32 panels() const { return panels_; }
  [[nodiscard]] u32 sharing() const { return sharing_; }
  /// Allocates the buffers of a pass: as many as hide the latency of the scratchpad, at least one.
  /// @param vectors  of one buffer of all passes
  /// @param others   vectors that are still to be allocated for other purposes
  [[nodiscard]] u32 choose_depth(u32 vectors, u32 others) const;
  /// Parts of a sum that a PE has.
  [[nodiscard]] u32 parts() const { return ways_ / sharing_; }

  /// A load of whole vectors at the kernel's constants register, once per launch.
  u16 add_constants(unsigned launch_register, u32 slots, u32 vectors);

  /// What the code of a step can name.
  struct StepOperands {
    SegmentOperand column;                   // a column of the buffer; the step is repeated for each of them
    std::function<SegmentOperand()> scalar;  // the scalar of that column
    std::function<SegmentOperand(const Stream& parts)> part;  // the part of a sum to which the column belongs
  };
  /// Operations on each column of a buffer.
  struct Step {
    std::function<void(SegmentBuilder& segment, const StepOperands& operands)> code;
    bool by_parts = false;  // the code names parts
  };
  struct Scalars {
    unsigned launch_register = 0;
    i32 offset = 0;   // of the first panel's block
    u32 vectors = 0;  // of a block
  };
  struct Pass {
    std::vector<u16> first, last;  // Cal segments: of the panels, of the tail
  };

  struct Destination {
    unsigned launch_register = 0;
    PanelLayout layout;  // transposed if that of the input is
  };
  /// A destination with the layout of the input.
  [[nodiscard]] Destination like_input(unsigned launch_register) const { return {launch_register, layout_}; }
  /// @param store  where the buffer is stored
  Pass add(unsigned tag, const std::vector<Step>& steps, u32 depth, const std::optional<Scalars>& scalars,
           const std::optional<Destination>& store);

  /// `before` must be done before a pass, the pass before `after`.
  void order(std::optional<u16> before, const Pass& pass, std::optional<u16> after);

  /// Adds up the parts of a sum over the PEs that share it; then part 0 of each PE has the total. Takes place between
  /// `before` and the returned segment.
  u16 add_total(unsigned tag, const Stream& sum, u16 before);

  /// The parts of a sum begin with the values that another launch has left at this register, after segment `zero`.
  u16 add_earlier_sums(unsigned launch_register, const Stream& sum, u16 zero);

  /// Stores the parts of a sum there for another launch, after segment `before`; returns the last segment that reads
  /// them.
  u16 leave_sums(unsigned tag, unsigned launch_register, const Stream& sum, u16 before);

  /// A column of a matrix with the layout of the rows, one value a row.
  [[nodiscard]] Stream column(unsigned launch_register, u32 index) const;

  /// The maximum of parts that are vectors; otherwise like add_up_parts().
  u16 add_maximum(unsigned tag, const Stream& maxima, u16 before);

 private:
  [[nodiscard]] i32 place(u32 pe) const { return static_cast<i32>(pe % sharing_); }

  struct PassPlan {
    unsigned tag = 0;
    u32 depth = 1;
    const std::vector<Step>& steps;
    const std::optional<Scalars>& scalars;
    const std::optional<Destination>& store;
    u32 buffer = 0, scalar_slots = 0;  // vectors of operand memory
  };
  /// Segments of a pass over the panels or over the tail; readers: the last ones that read the buffer.
  struct PassPart {
    std::vector<u16> loads, cals, readers;
  };
  /// Addresses of the columns of the panels (scope 2) or of the tail (scope 1).
  [[nodiscard]] Stream part_memory(unsigned scope, unsigned launch_register, const PanelLayout& layout);
  /// Adds the load of the scalars to `loads`; returns the stream that reads them.
  [[nodiscard]] Stream add_scalar_load(const PassPlan& plan, unsigned scope, std::vector<u16>& loads);
  /// @param panels  what the tail comes behind; empty: nothing
  PassPart add_part(const PassPlan& plan, unsigned scope, u32 all_columns, const PassPart& panels);

  /// The addresses of this PE's parts of sums, from column `first` on.
  [[nodiscard]] Stream sums_memory(unsigned launch_register, u32 first);

  /// Every PE sends `own` to its partner's `received`, which `join` consumes.
  void add_exchange(u16 before, u16 join, unsigned tag, u32 mask, const Stream& own, const Stream& received,
                    u32 vectors);

  /// A place in operand memory for the fp32 halves of `sums` accumulators: lower halves first, then upper ones.
  [[nodiscard]] Stream halves(u32 sums);

  void add_step(std::vector<u16>& cals, const Step& step, const Stream& slots, const Stream* scalar, unsigned scope,
                unsigned tag, u32 columns);

  const u32 lanes_, ways_, sharing_;
  const PanelLayout layout_;
  const unsigned launch_register_;
  KernelBuilder builder_;
  const u32 panels_, tail_;
};

/// Steps of sums and maxima over the columns.
/// sum += column
[[nodiscard]] RowPasses::Step sum_columns(const Stream& sum);
/// column = column - mean; squares += column * column
[[nodiscard]] std::vector<RowPasses::Step> sum_squares(const Stream& mean, const Stream& squares);
/// column = (column - mean) * deviation * weight + bias, with the weights and, `span` further on, biases of the scalars
[[nodiscard]] RowPasses::Step scale_columns(const Stream& mean, const Stream& deviation, u32 span);
/// maxima = the larger of column and maxima
[[nodiscard]] RowPasses::Step find_maxima(const Stream& maxima);
/// column = exp(column - maximum); sum += column
[[nodiscard]] std::vector<RowPasses::Step> sum_exponentials(const Stream& maximum, const Stream& sum);

/// Words of row_scalars.
[[nodiscard]] std::size_t row_scalar_words(const CompilerTarget& target, u32 columns);
/// Weights and biases of columns of a layer norm, panel by panel in whole vectors, as a pass with scalars reads them.
[[nodiscard]] std::vector<u16> row_scalars(const CompilerTarget& target, u32 columns,
                                           const std::function<u16(u32 column)>& weight,
                                           const std::function<u16(u32 column)>& bias);

}  // namespace bvp
