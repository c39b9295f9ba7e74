// SPDX-License-Identifier: Apache-2.0
// A plan under construction: places in DRAM, tasks, and how a task is cut into tiles.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platform/compiler/cost/cost.h"
#include "platform/compiler/ir/matrix_places.h"
#include "platform/compiler/ir/task_builder.h"
#include "platform/compiler/target.h"
#include "platform/network/tensors.h"
#include "platform/program/compiled_network.h"

namespace bvp {

class Plan {
 public:
  /// @param weight_area  bytes at the end of each half that are kept for the weights of the next task
  /// @param most_weights bytes of weights that a task may have
  /// @param may_pack     what does not fit in whole tiles is packed (TaskBuilder::pack)
  /// @param dry          nothing but the sizes of tasks is wanted
  Plan(const CompilerTarget& target, u64 weight_area, u64 most_weights, bool may_pack, bool dry);

  [[nodiscard]] const CompilerTarget& target() const { return target_; }
  [[nodiscard]] u64 half_bytes() const { return target_.half_bytes(); }
  [[nodiscard]] bool may_pack() const { return may_pack_; }
  [[nodiscard]] u64 padded(u64 columns) const { return (columns + target_.lanes - 1) / target_.lanes * target_.lanes; }
  [[nodiscard]] u32 groups(u64 rows) const { return static_cast<u32>((rows + target_.lanes - 1) / target_.lanes); }

  // ---------------------------------------------------------------- DRAM

  /// @throws CompileError  the DRAM is full
  u64 allocate(u64 bytes);
  /// Allocates memory that tasks write before they read it; the address is provisional until settle().
  u64 scratch(u64 bytes) { return matrices_.add(bytes); }
  /// Allocates a matrix in the same way. Rows are padded to whole vectors, and readers may go one row beyond the last
  /// one.
  MatrixPlace matrix(u64 rows, u64 columns);
  /// Marks a matrix that is read or written from outside, or inspected after the run.
  void keep(const MatrixPlace& place) { matrices_.keep(place); }
  /// Must be called when all tasks are known: gives the matrices their places. @throws CompileError  the DRAM is full
  const MatrixPlaces& settle();
  /// A tensor of one or two dimensions, or its transpose, rows padded with zeros to whole vectors and to a multiple of
  /// `lanes` rows.
  MatrixPlace constant(const Tensor& tensor, bool transposed = false);
  /// Allocates bytes with contents that are there when the run begins.
  void blob(u64 address, const void* bytes, std::size_t size);
  [[nodiscard]] bool dry() const { return dry_; }

  // ---------------------------------------------------------------- tasks

  /// How a task is cut into tiles: number of tiles per level (innermost first), rows of a full tile and of the last
  /// one.
  struct Tiling {
    std::array<u32, 3> tiles{1, 1, 1};
    u32 rows = 0, tail_rows = 0;
    bool packed = false;
  };
  /// Makes a task with this tiling; `measuring`: only its size and cost are wanted.
  using Make = std::function<TaskBuilder(const Tiling& tiling, bool measuring)>;

  /// A tiling with whole lane groups per tile, and `outer` tiles in the other levels.
  [[nodiscard]] Tiling tiling(u64 rows, u32 tile_groups, std::array<u32, 2> outer) const;
  /// A tiling of a packed task: `tile_rows` rows per tile, at most as many as there are lanes.
  [[nodiscard]] static Tiling packed_tiling(u64 rows, u32 tile_rows, std::array<u32, 2> outer);
  /// The tiling of `rows` rows that costs least among those that fit a half; nullopt if none fits.
  [[nodiscard]] std::optional<Tiling> choose_tiling(u64 rows, std::array<u32, 2> outer, const Make& make) const;
  /// Makes the task with the best tiling. @throws CompileError  a lane group of rows does not fit a half
  void add_row_task(u64 rows, std::array<u32, 2> outer, const Make& make);
  void add_task(TaskBuilder task);

  /// Bytes of buffers and weights of a task; both lie in one half.
  [[nodiscard]] u64 footprint(const TaskBuilder& task) const;
  [[nodiscard]] bool fits(const TaskBuilder& task) const {
    return footprint(task) <= half_bytes() && weight_bytes(task) <= most_weights_ &&
           task.steps() < network_step_stand_in;
  }
  [[nodiscard]] u64 cycles(const TaskBuilder& task) const;
  /// The cost by which a task's tiling is chosen (task_cost).
  [[nodiscard]] u64 cost(const TaskBuilder& task) const;
  /// The cost of all tasks.
  [[nodiscard]] u64 cost() const;
  [[nodiscard]] ScratchpadError does_not_fit(const TaskBuilder& task) const;

  [[nodiscard]] const std::vector<TaskBuilder>& tasks() const { return tasks_; }
  [[nodiscard]] u64 largest_weights() const;
  [[nodiscard]] std::vector<MemoryBlob> take_blobs() { return std::move(blobs_); }
  [[nodiscard]] u64 end() const { return bump_; }

 private:
  [[nodiscard]] bool goes_by_rows(const TaskBuilder& task) const;
  [[nodiscard]] TileCost best_tile_cost(const TaskBuilder& task) const;
  [[nodiscard]] u64 align(u64 bytes) const;
  [[nodiscard]] u64 weight_bytes(const TaskBuilder& task) const { return align(task.weights().size() * 2); }

  const CompilerTarget& target_;
  const u64 weight_area_, most_weights_;
  const bool may_pack_, dry_;
  u64 bump_;
  MatrixPlaces matrices_;
  std::vector<TaskBuilder> tasks_;
  std::map<std::vector<u8>, std::shared_ptr<const Kernel>> kernels_;  // of the tasks, by image
  std::vector<MemoryBlob> blobs_;
};

}  // namespace bvp
