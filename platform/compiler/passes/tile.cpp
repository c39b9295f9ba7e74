// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/passes/tile.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "platform/compiler/cost/cost.h"

namespace bvp {

u64 TaskPlanner::align(u64 bytes) const {
  const u64 unit = limits_.may_pack ? target().vector_bytes() : std::max<u64>(target().tile_bytes(), 64);
  return (bytes + unit - 1) / unit * unit;
}

u64 TaskPlanner::footprint(const TaskBuilder& task) const {
  return align(task.buffer_bytes()) + task.resident_bytes() + std::max(limits_.weight_area, weight_bytes(task));
}

u64 TaskPlanner::compute_cycles(const TaskBuilder& task) const {
  u64 cycles = 0;
  const std::vector<LaunchStep>& launches = task.launches();
  for (std::size_t i = 0; i < launches.size(); ++i) {
    const Kernel& next = *launches[(i + 1) % launches.size()].kernel;
    const u64 preparation = &next == launches[i].kernel.get() ? 0 : kernels_.preparation(next);
    cycles += std::max(step_cycles(target(), kernels_.times(*launches[i].kernel), launches[i]), preparation);
  }
  return cycles;
}

TileCost TaskPlanner::tile_cost(const TaskBuilder& task, const TaskBuilder::Traffic& traffic) const {
  TileCost cost;
  cost.tiles = u64{task.tiles()[0]} * task.tiles()[1] * task.tiles()[2];
  cost.compute_cycles = compute_cycles(task);
  cost.load_cycles = traffic.load_cycles;
  cost.store_cycles = traffic.store_cycles;
  cost.accessed_bytes = traffic.accessed_bytes / cost.tiles;
  cost.commands = task.commands();
  return cost;
}

bool TaskPlanner::goes_by_rows(const TaskBuilder& task) const {
  const auto cost = [&](const TaskBuilder::Traffic& traffic) {
    return task_cost(target(), tile_cost(task, traffic), scattered_traffic_price);
  };
  return cost(task.traffic_by_rows()) < cost(task.traffic());
}

TileCost TaskPlanner::best_tile_cost(const TaskBuilder& task) const {
  return tile_cost(task, goes_by_rows(task) ? task.traffic_by_rows() : task.traffic());
}

u64 TaskPlanner::cycles(const TaskBuilder& task) const { return task_cycles(target(), best_tile_cost(task)); }

u64 TaskPlanner::cost(const TaskBuilder& task) const { return task_cost(target(), best_tile_cost(task)); }

u64 TaskPlanner::cost(const Tasks& tasks) const {
  u64 sum = 0;
  for (const TaskBuilder& task : tasks) sum += cost(task);
  return sum;
}

ScratchpadError TaskPlanner::does_not_fit(const TaskBuilder& task) const {
  return ScratchpadError(
      fmt::format("{}: {} rows need {} bytes of a scratchpad half, it has {} (raise soc.scratchpad.size_bytes)",
                  task.name(), task.rows(), footprint(task), half_bytes()));
}

Tiling TaskPlanner::tiling(u64 rows, u32 tile_groups, std::array<u32, 2> outer) const {
  Tiling tiling;
  const u32 count = (groups(rows) + tile_groups - 1) / tile_groups;
  tiling.tiles = {count, outer[0], outer[1]};
  tiling.rows = static_cast<u32>(std::min<u64>(rows, u64{tile_groups} * target().lanes));
  tiling.tail_rows = static_cast<u32>(rows - u64{count - 1} * tile_groups * target().lanes);
  return tiling;
}

Tiling TaskPlanner::packed_tiling(u64 rows, u32 tile_rows, std::array<u32, 2> outer) {
  Tiling tiling;
  const auto count = static_cast<u32>((rows + tile_rows - 1) / tile_rows);
  tiling.tiles = {count, outer[0], outer[1]};
  tiling.rows = tile_rows;
  tiling.tail_rows = static_cast<u32>(rows - u64{count - 1} * tile_rows);
  tiling.packed = true;
  return tiling;
}

std::optional<Decision<Tiling>> TaskPlanner::choose_tiling(u64 rows, std::array<u32, 2> outer, const Shape& shape,
                                                           const Make& make) const {
  Shape whole = shape;
  whole.add(rows, outer[0], outer[1]);
  return once(decisions_.tilings, whole, [&] { return find_tiling(rows, outer, make); });
}

std::optional<Decision<u32>> TaskPlanner::best_strip(u32 panels,
                                                     const std::function<TaskBuilder(u32 width)>& make) const {
  std::optional<Decision<u32>> best;
  for (u32 width = 1; width <= panels; ++width) {
    const TaskBuilder task = make(width);
    if (task.refused()) continue;
    if (!fits(task)) break;
    const u64 cost = this->cost(task);
    if (!best || cost < best->cost) best = Decision<u32>{width, cost};
  }
  return best;
}

std::optional<Decision<Tiling>> TaskPlanner::find_tiling(u64 rows, std::array<u32, 2> outer, const Make& make) const {
  const u32 all = groups(rows);
  if (!fits(make(tiling(rows, 1, outer)))) return std::nullopt;
  if (target().tile_rows > 0) {
    u32 tile_groups = std::min(all, groups(target().tile_rows));
    while (true) {
      const Tiling candidate = tiling(rows, tile_groups, outer);
      const TaskBuilder task = make(candidate);
      if (fits(task)) return Decision<Tiling>{candidate, cost(task)};
      --tile_groups;
    }
  }
  std::optional<Decision<Tiling>> best;
  std::set<u32> seen;
  const auto after = [&](u32 count) {
    if (count == all) return all + 1;
    return std::min(all, count < 16 ? count + 1 : count * 5 / 4);
  };
  for (u32 count = 1; count <= all; count = after(count)) {
    const u32 tile_groups = (all + count - 1) / count;
    if (!seen.insert(tile_groups).second) continue;
    const Tiling candidate = tiling(rows, tile_groups, outer);
    const TaskBuilder task = make(candidate);
    if (!fits(task)) continue;
    const u64 cost = this->cost(task);
    if (best && cost >= best->cost) {
      if (cost > 2 * best->cost) break;
      continue;
    }
    best = Decision<Tiling>{candidate, cost};
  }
  return best;
}

TaskBuilder TaskPlanner::best_task(u64 rows, std::array<u32, 2> outer, const Shape& shape, const Make& make) const {
  const auto best = choose_tiling(rows, outer, shape, make);
  if (!best) throw does_not_fit(make(tiling(rows, 1, outer)));
  return make(best->choice);
}

}  // namespace bvp
