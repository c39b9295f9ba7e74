// SPDX-License-Identifier: Apache-2.0
// The pass that cuts a task into tiles: the tiling that costs least among those that fit a scratchpad half.
#pragma once

#include <functional>
#include <map>
#include <optional>

#include "platform/compiler/cost/cost.h"
#include "platform/compiler/ir/scratchpad_map.h"
#include "platform/compiler/ir/task_builder.h"
#include "platform/compiler/ir/tiling.h"
#include "platform/compiler/kernels/kernel_library.h"
#include "platform/compiler/target.h"

namespace bvp {

/// What a task may take of a scratchpad half.
struct TaskLimits {
  u64 weight_area = 0;    // bytes at the end of each half that are kept for the weights of the next task
  u64 most_weights = 0;   // bytes of weights that a task may have
  bool may_pack = false;  // what does not fit in whole tiles is packed (TaskBuilder::pack)
};

/// A choice, and the cost by which it was made.
template <class Choice>
struct Decision {
  Choice choice;
  u64 cost = 0;
};

class TaskPlanner {
 public:
  TaskPlanner(const KernelLibrary& kernels, const TaskLimits& limits) : kernels_(kernels), limits_(limits) {}
  TaskPlanner(const TaskPlanner&) = delete;
  TaskPlanner& operator=(const TaskPlanner&) = delete;

  [[nodiscard]] const CompilerTarget& target() const { return kernels_.target(); }
  [[nodiscard]] const KernelLibrary& kernels() const { return kernels_; }
  [[nodiscard]] u64 half_bytes() const { return target().half_bytes(); }
  [[nodiscard]] bool may_pack() const { return limits_.may_pack; }
  [[nodiscard]] u64 padded(u64 columns) const {
    return (columns + target().lanes - 1) / target().lanes * target().lanes;
  }
  [[nodiscard]] u32 groups(u64 rows) const { return static_cast<u32>((rows + target().lanes - 1) / target().lanes); }

  /// Makes a task with this tiling, without an effect on anything else.
  using Make = std::function<TaskBuilder(const Tiling& tiling)>;

  /// A tiling with whole lane groups per tile, and `outer` tiles in the other levels.
  [[nodiscard]] Tiling tiling(u64 rows, u32 tile_groups, std::array<u32, 2> outer) const;
  /// A tiling of a packed task: `tile_rows` rows per tile, at most as many as there are lanes.
  [[nodiscard]] static Tiling packed_tiling(u64 rows, u32 tile_rows, std::array<u32, 2> outer);
  /// The tiling of `rows` rows that costs least among those that fit a half; nullopt if none fits.
  /// @param shape  of what `make` makes: tasks with equal shapes differ only in names, places and values
  [[nodiscard]] std::optional<Decision<Tiling>> choose_tiling(u64 rows, std::array<u32, 2> outer, const Shape& shape,
                                                              const Make& make) const;
  /// The task with the best tiling. @throws ScratchpadError  a lane group of rows does not fit a half
  [[nodiscard]] TaskBuilder best_task(u64 rows, std::array<u32, 2> outer, const Shape& shape, const Make& make) const;

  /// The panels of a strip of columns with which the strips cost least; nullopt: not even one panel fits.
  /// @param panels  of all strips
  /// @param make    makes the task with strips of so many panels
  [[nodiscard]] std::optional<Decision<u32>> best_strip(u32 panels,
                                                        const std::function<TaskBuilder(u32 width)>& make) const;

  /// A map without resident matrices.
  [[nodiscard]] ScratchpadMap map() const {
    return {half_bytes(), limits_.weight_area, std::max<u64>(target().tile_bytes(), 64)};
  }
  /// Bytes of buffers, weights and resident matrices of a task in a half.
  [[nodiscard]] u64 footprint(const TaskBuilder& task) const;
  [[nodiscard]] u64 weight_bytes(const TaskBuilder& task) const { return align(task.weight_words() * 2); }
  [[nodiscard]] bool fits(const TaskBuilder& task) const {
    return !task.refused() && footprint(task) <= half_bytes() && task.read_end() <= half_bytes() &&
           weight_bytes(task) <= limits_.most_weights && task.steps() < network_step_stand_in;
  }
  [[nodiscard]] ScratchpadError does_not_fit(const TaskBuilder& task) const;
  [[nodiscard]] u64 cycles(const TaskBuilder& task) const;
  /// The cost by which a task's tiling is chosen (task_cost).
  [[nodiscard]] u64 cost(const TaskBuilder& task) const;
  [[nodiscard]] u64 cost(const Tasks& tasks) const;
  /// Whether short rows cost less when they are moved row by row (TaskBuilder::traffic_by_rows).
  [[nodiscard]] bool goes_by_rows(const TaskBuilder& task) const;

  /// The decision for this shape: `decide` is called for the first of equal shapes.
  template <class Choice, class Decide>
  const Choice& once(std::map<Shape, Choice>& known, const Shape& shape, const Decide& decide) const {
    const auto found = known.find(shape);
    return found != known.end() ? found->second : known.emplace(shape, decide()).first->second;
  }
  /// A part of a row program that becomes a task: the index of its first operation behind, and its tiling; no tiling
  /// where the operator works in passes over DRAM (RowProgram).
  struct RowPart {
    std::size_t end = 0;
    std::optional<Tiling> tiling;
    bool empty = false;
  };
  /// Decisions so far, by shape. They depend on machine and limits, so that each planner has its own.
  struct Decisions {
    std::map<Shape, std::optional<Decision<Tiling>>> tilings;
    std::map<Shape, std::vector<RowPart>> row_parts;
    std::map<Shape, u32> strips;
    std::map<Shape, unsigned> block_layers;
  };
  [[nodiscard]] Decisions& decisions() const { return decisions_; }

 private:
  [[nodiscard]] std::optional<Decision<Tiling>> find_tiling(u64 rows, std::array<u32, 2> outer, const Make& make) const;
  [[nodiscard]] TileCost tile_cost(const TaskBuilder& task, const TaskBuilder::Traffic& traffic) const;
  /// Cycles of the launches of a full tile, each of which can hide the preparation of the next one.
  [[nodiscard]] u64 compute_cycles(const TaskBuilder& task) const;
  [[nodiscard]] TileCost best_tile_cost(const TaskBuilder& task) const;
  [[nodiscard]] u64 align(u64 bytes) const;

  const KernelLibrary& kernels_;
  const TaskLimits limits_;
  mutable Decisions decisions_;
};

}  // namespace bvp
