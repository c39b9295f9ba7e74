// SPDX-License-Identifier: Apache-2.0
#include "platform/run/not_finite_recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace bvp {

namespace {

/// Distance in bytes of the value in this row and column from the beginning of the matrix.
u64 place_of(const PanelLayout& layout, u64 row, u64 column) {
  const u64 panel = column / layout.lanes * layout.panel_bytes(), within = column % layout.lanes;
  if (!layout.transposed) return panel + row * layout.row_bytes() + within * 2;
  return panel + row / layout.lanes * layout.group_bytes() + within * layout.row_bytes() + row % layout.lanes * 2;
}

/// The indices of tile number `number`, innermost level first.
std::array<u32, 3> tile_of(const TaskInfo& task, u64 number) {
  const auto& counts = task.tile_counts;
  return {static_cast<u32>(number % counts[0]), static_cast<u32>(number / counts[0] % counts[1]),
          static_cast<u32>(number / counts[0] / counts[1] % counts[2])};
}

}  // namespace

NotFiniteRecorder::NotFiniteRecorder(Soc& soc, const CompiledNetwork& network)
    : soc_(soc), tags_(network.tasks.size()) {
  found_.looked = true;
  for (const KernelInfo& kernel : network.kernels) {
    by_step_.emplace(kernel.step, Launched{&kernel, &network.tasks[kernel.step.task]});
  }
}

void NotFiniteRecorder::command_started(const Command&, Cycle) {}
void NotFiniteRecorder::kernel_launched(const Command&, const LaunchPhases&, Cycle) {}

void NotFiniteRecorder::command_completed(const Command& command, Cycle) {
  const std::optional<TaskStep> step = tags_.read(command.tag);
  if (!step || command.opcode != static_cast<u8>(CommandOpcode::launch)) return;
  const auto found = by_step_.find(*step);
  if (found == by_step_.end() || found->second.kernel->results.empty()) return;
  Launched& launched = found->second;
  const KernelInfo& kernel = *launched.kernel;
  const std::array<u32, 3> tile = tile_of(*launched.task, launched.completed++);
  // The registers of a command contain the half of its tile.
  const u64 half = u64{command.registers[kernel.half_register]} - kernel.half_register_value;
  for (const KernelResult& result : kernel.results) {
    const u64 base = result.launch_register ? command.registers[*result.launch_register] : half + result.offset;
    look_through(result, base, launched, tile);
  }
}

void NotFiniteRecorder::look_through(const KernelResult& result, u64 base, const Launched& launched,
                                     const std::array<u32, 3>& tile) {
  const u64 rows = result.rows.count(tile), columns = result.columns.count(tile);
  if (rows == 0 || columns == 0) return;
  const u64 size = place_of(result.layout, rows - 1, columns - 1) + result.layout.group_bytes();
  const u64 count = std::min(size, soc_.scratchpad.size() - std::min(base, soc_.scratchpad.size()));
  // Whole tiles of the scratchpad are checked first, including padding, because nearly always all of their values are
  // finite.
  if (soc_.scratchpad.all_finite(base, count)) return;
  bytes_.resize(count);
  soc_.scratchpad.peek(base, count, bytes_.data());
  NotFiniteResults::OfKernel* of_kernel = nullptr;
  for (u64 row = 0; row < rows; ++row) {
    for (u64 column = 0; column < columns; ++column) {
      const u64 at = place_of(result.layout, row, column);
      if (at + 2 > count) continue;
      u16 half = 0;
      std::memcpy(&half, bytes_.data() + at, sizeof half);
      constexpr u16 infinity = 0x7c00;
      if ((half & infinity) != infinity) continue;
      const bool nan = (half & 0x3ff) != 0;
      if (of_kernel == nullptr) of_kernel = &entry(*launched.kernel);
      if (of_kernel->infinities + of_kernel->nans == 0) {
        of_kernel->row = result.rows.first(tile) + row;
        of_kernel->rows = result.rows.all;
        of_kernel->column = result.columns.first(tile) + column;
        of_kernel->columns = result.columns.all;
        of_kernel->tile = tile;
        of_kernel->value = nan ? "NaN" : (half & 0x8000) != 0 ? "-infinity" : "infinity";
      }
      ++(nan ? of_kernel->nans : of_kernel->infinities);
      ++(nan ? found_.nans : found_.infinities);
    }
  }
}

NotFiniteResults::OfKernel& NotFiniteRecorder::entry(const KernelInfo& kernel) {
  const auto known = std::find_if(found_.kernels.begin(), found_.kernels.end(),
                                  [&](const NotFiniteResults::OfKernel& of) { return of.kernel == kernel.name; });
  if (known != found_.kernels.end()) return *known;
  found_.kernels.emplace_back();
  found_.kernels.back().kernel = kernel.name;
  found_.kernels.back().layer = kernel.layer;
  return found_.kernels.back();
}

std::string first_not_finite(const NotFiniteResults& found) {
  const NotFiniteResults::OfKernel& first = found.kernels.front();
  std::string tile;
  if (first.tile[1] != 0 || first.tile[2] != 0) {
    tile = fmt::format(" (tile {}, {}, {})", first.tile[0], first.tile[1], first.tile[2]);
  }
  return fmt::format(
      "kernel {} made {} {} in row {} of {}, column {} of {}{}; {} infinities and {} NaN in the results "
      "of {} {}",
      first.kernel, first.value == "infinity" ? "an" : "a", first.value, first.row, first.rows, first.column,
      first.columns, tile, found.infinities, found.nans, found.kernels.size(),
      found.kernels.size() == 1 ? "kernel" : "kernels");
}

}  // namespace bvp
