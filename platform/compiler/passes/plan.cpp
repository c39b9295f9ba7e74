// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/passes/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>

#include "platform/compiler/cost/cost.h"

namespace bvp {

Plan::Plan(const CompilerTarget& target, u64 weight_area, u64 most_weights, bool may_pack, bool dry)
    : target_(target),
      weight_area_(weight_area),
      most_weights_(most_weights),
      may_pack_(may_pack),
      dry_(dry),
      bump_(target.dram_base) {}

// ---------------------------------------------------------------- DRAM

u64 Plan::allocate(u64 bytes) {
  const u64 address = bump_;
  bump_ = (bump_ + bytes + 4095) / 4096 * 4096;
  if (bump_ > target_.dram_base + target_.dram_bytes) {
    throw CompileError(fmt::format("the network needs more than the {} bytes of DRAM (raise soc.dram.size_bytes)",
                                   target_.dram_bytes));
  }
  return address;
}

MatrixPlace Plan::matrix(u64 rows, u64 columns) {
  const u64 pitch = padded(columns) * 2;
  return {scratch((rows + 1) * pitch), rows, columns, pitch};
}

const MatrixPlaces& Plan::settle() {
  matrices_.settle(tasks_, [this](u64 bytes) { return allocate(bytes); });
  return matrices_;
}

MatrixPlace Plan::constant(const Tensor& tensor, bool transposed) {
  u64 rows = tensor.shape.size() > 1 ? tensor.shape.front() : 1, columns = tensor.shape.back();
  if (transposed) std::swap(rows, columns);
  const u64 pitch = padded(columns) * 2, all_rows = padded(rows);
  const MatrixPlace place{allocate(all_rows * pitch), rows, columns, pitch};
  if (dry_ || !target_.data) return place;
  MemoryBlob blob;
  blob.address = place.address;
  blob.bytes.resize(all_rows * pitch);
  for (u64 row = 0; row < rows; ++row) {
    u8* const to = blob.bytes.data() + row * pitch;
    if (!transposed) {
      std::memcpy(to, tensor.data.data() + row * columns, columns * 2);
      continue;
    }
    for (u64 column = 0; column < columns; ++column) {
      std::memcpy(to + column * 2, tensor.data.data() + column * rows + row, 2);
    }
  }
  blobs_.push_back(std::move(blob));
  return place;
}

void Plan::blob(u64 address, const void* bytes, std::size_t size) {
  if (dry_) return;
  MemoryBlob blob;
  blob.address = address;
  const auto* first = static_cast<const u8*>(bytes);
  blob.bytes.assign(first, first + size);
  blobs_.push_back(std::move(blob));
}

// ---------------------------------------------------------------- tasks

u64 Plan::align(u64 bytes) const {
  const u64 unit = may_pack_ ? target_.vector_bytes() : std::max<u64>(target_.tile_bytes(), 64);
  return (bytes + unit - 1) / unit * unit;
}

u64 Plan::footprint(const TaskBuilder& task) const {
  return align(task.buffer_bytes()) + std::max(weight_area_, weight_bytes(task));
}

u64 Plan::largest_weights() const {
  u64 largest = 0;
  for (const TaskBuilder& task : tasks_) largest = std::max(largest, weight_bytes(task));
  return largest;
}

namespace {

TileCost tile_cost(const TaskBuilder& task, const TaskBuilder::Traffic& traffic) {
  TileCost cost;
  cost.tiles = u64{task.tiles()[0]} * task.tiles()[1] * task.tiles()[2];
  cost.compute_cycles = task.tile_cycles();
  cost.load_cycles = traffic.load_cycles;
  cost.store_cycles = traffic.store_cycles;
  cost.accessed_bytes = traffic.accessed_bytes / cost.tiles;
  return cost;
}

}  // namespace

bool Plan::goes_by_rows(const TaskBuilder& task) const {
  const auto cost = [&](const TaskBuilder::Traffic& traffic) {
    return task_cost(target_, tile_cost(task, traffic), scattered_traffic_price);
  };
  return cost(task.traffic_by_rows()) < cost(task.traffic());
}

TileCost Plan::best_tile_cost(const TaskBuilder& task) const {
  return tile_cost(task, goes_by_rows(task) ? task.traffic_by_rows() : task.traffic());
}

u64 Plan::cycles(const TaskBuilder& task) const { return task_cycles(target_, best_tile_cost(task)); }

u64 Plan::cost(const TaskBuilder& task) const { return task_cost(target_, best_tile_cost(task)); }

u64 Plan::cost() const {
  u64 sum = 0;
  for (const TaskBuilder& task : tasks_) sum += cost(task);
  return sum;
}

ScratchpadError Plan::does_not_fit(const TaskBuilder& task) const {
  return ScratchpadError(
      fmt::format("{}: {} rows need {} bytes of a scratchpad half, it has {} (raise soc.scratchpad.size_bytes)",
                  task.name(), task.rows(), footprint(task), half_bytes()));
}

Plan::Tiling Plan::tiling(u64 rows, u32 tile_groups, std::array<u32, 2> outer) const {
  Tiling tiling;
  const u32 count = (groups(rows) + tile_groups - 1) / tile_groups;
  tiling.tiles = {count, outer[0], outer[1]};
  tiling.rows = static_cast<u32>(std::min<u64>(rows, u64{tile_groups} * target_.lanes));
  tiling.tail_rows = static_cast<u32>(rows - u64{count - 1} * tile_groups * target_.lanes);
  return tiling;
}

Plan::Tiling Plan::packed_tiling(u64 rows, u32 tile_rows, std::array<u32, 2> outer) {
  Tiling tiling;
  const auto count = static_cast<u32>((rows + tile_rows - 1) / tile_rows);
  tiling.tiles = {count, outer[0], outer[1]};
  tiling.rows = tile_rows;
  tiling.tail_rows = static_cast<u32>(rows - u64{count - 1} * tile_rows);
  tiling.packed = true;
  return tiling;
}

std::optional<Plan::Tiling> Plan::choose_tiling(u64 rows, std::array<u32, 2> outer, const Make& make) const {
  const u32 all = groups(rows);
  if (!fits(make(tiling(rows, 1, outer), true))) return std::nullopt;
  if (target_.tile_rows > 0) {
    u32 tile_groups = std::min(all, groups(target_.tile_rows));
    while (!fits(make(tiling(rows, tile_groups, outer), true))) --tile_groups;
    return tiling(rows, tile_groups, outer);
  }
  std::optional<Tiling> best;
  u64 best_cost = std::numeric_limits<u64>::max();
  std::set<u32> seen;
  const auto after = [&](u32 count) {
    if (count == all) return all + 1;
    return std::min(all, count < 16 ? count + 1 : count * 5 / 4);
  };
  for (u32 count = 1; count <= all; count = after(count)) {
    const u32 tile_groups = (all + count - 1) / count;
    if (!seen.insert(tile_groups).second) continue;
    const Tiling candidate = tiling(rows, tile_groups, outer);
    const TaskBuilder task = make(candidate, true);
    if (!fits(task)) continue;
    const u64 cost = this->cost(task);
    if (cost >= best_cost) {
      if (cost > 2 * best_cost) break;
      continue;
    }
    best_cost = cost;
    best = candidate;
  }
  return best;
}

void Plan::add_row_task(u64 rows, std::array<u32, 2> outer, const Make& make) {
  const auto best = choose_tiling(rows, outer, make);
  if (!best) throw does_not_fit(make(tiling(rows, 1, outer), true));
  add_task(make(*best, false));
}

void Plan::add_task(TaskBuilder task) {
  if (goes_by_rows(task)) task.go_by_rows();
  task.share_kernels([&](const std::shared_ptr<const Kernel>& kernel) {
    return kernels_.try_emplace(kernel->encode(), kernel).first->second;
  });
  tasks_.push_back(std::move(task));
}

}  // namespace bvp
