// SPDX-License-Identifier: Apache-2.0
// Passes over the columns of rows: what the kernels of layer normalisation and softmax are made of.
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <vector>

#include "platform/compiler/kernel_builder.h"
#include "platform/compiler/target.h"
#include "platform/program/layout.h"

namespace bvp {

/// Interleaved parts in which these kernels sum up the columns of a row: at most 16, fewer where lanes or accumulators
/// are few. Part j sums the columns c with c mod ways = j.
[[nodiscard]] u32 sum_ways(const CompilerTarget& target);

/// Cycles that a lane group waits for sums and maxima of the other PEs that share it, an estimate.
[[nodiscard]] u64 row_exchange_cycles(u32 sharing);

/// Passes over the columns of a lane group of rows: a panel at a time (scope 2: instance levels 0 = lane group,
/// 1 = panel), then the columns of a last partial panel (scope 1). PEs that share a lane group take the columns c with
/// c mod sharing = their place.
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
  /// Buffers of a pass: as many as hide the way to the scratchpad, at least one.
  /// @param vectors  of one buffer of all passes  @param others  what else is still to be allocated
  [[nodiscard]] u32 choose_depth(u32 vectors, u32 others) const;
  /// Parts of a sum that a PE has.
  [[nodiscard]] u32 parts() const { return ways_ / sharing_; }

  /// A load of whole vectors at the kernel's constants register, once per launch.
  u16 add_constants(unsigned launch_register, u32 slots, u32 vectors);

  /// What is done to the columns of a buffer. Stream 0 is the buffer, stream 3 the scalars if there are any.
  struct Step {
    std::vector<Instruction> code;
    std::array<Stream, streams_per_segment> streams;
    std::optional<unsigned> parts_stream;  // advances over the parts of a sum
  };
  struct Scalars {
    unsigned launch_register = 0;
    i32 offset = 0;   // of the first panel's block
    u32 vectors = 0;  // of a block
  };
  struct Pass {
    std::vector<u16> first, last;  // Cal segments: of the panels, of the tail
  };

  /// @param store  the buffer goes back to the scratchpad at this launch register (layout as the input's)
  Pass add(unsigned tag, const std::vector<Step>& steps, u32 depth, const std::optional<Scalars>& scalars,
           const std::optional<unsigned>& store);

  /// `before` must be done before a pass, the pass before `after`.
  void order(std::optional<u16> before, const Pass& pass, std::optional<u16> after);

  /// Adds up the parts of a sum over the PEs that share it: then part 0 of each has the total. Between `before` and the
  /// returned segment.
  u16 add_total(unsigned tag, const Stream& sum, u16 before);

  /// The parts of a sum begin with what another launch has left at this register, behind `zero`.
  u16 add_earlier_sums(unsigned launch_register, const Stream& sum, u16 zero);

  /// The parts of a sum are left there for another launch, behind `before`; returns the last segment that reads them.
  u16 leave_sums(unsigned tag, unsigned launch_register, const Stream& sum, u16 before);

  /// A column of a matrix with the layout of the rows, one value a row.
  [[nodiscard]] Stream column(unsigned launch_register, u32 index) const;

  /// The maximum of parts that are vectors, likewise.
  u16 add_maximum(unsigned tag, const Stream& maxima, u16 before);

 private:
  [[nodiscard]] i32 place(u32 pe) const { return static_cast<i32>(pe % sharing_); }

  /// Where this PE's parts of sums lie, from column `first` on.
  [[nodiscard]] Stream sums_memory(unsigned launch_register, u32 first);

  /// Every PE sends `own` to its partner's `received`, which `join` uses up.
  void add_exchange(u16 before, u16 join, unsigned tag, u32 mask, const Stream& own, const Stream& received,
                    u32 vectors);

  void add_step(std::vector<u16>& cals, const Step& step, const Stream& slots, const Stream* scalar, unsigned scope,
                unsigned tag, u32 columns);

  const u32 lanes_, ways_, sharing_;
  const PanelLayout layout_;
  const unsigned launch_register_;
  KernelBuilder builder_;
  const u32 panels_, tail_;
};

/// Weights and biases of columns of a layer norm, panel by panel in whole vectors, as a pass with scalars reads them.
[[nodiscard]] std::vector<u16> row_scalars(const CompilerTarget& target, u32 columns,
                                           const std::function<u16(u32 column)>& weight,
                                           const std::function<u16(u32 column)>& bias);

}  // namespace bvp
