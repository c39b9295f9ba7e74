// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/lowering/transpose.h"

#include <fmt/format.h>

namespace bvp {

TileBuffer for_columns(const CompilerTarget& target, TileBuffer buffer) {
  buffer.layout.transposed = !target.column_access;
  return buffer;
}

void add_transpose(TaskBuilder& task, const KernelLibrary& kernels, const std::string& name, const TileBuffer& buffer,
                   u64 columns, bool varying) {
  const CompilerTarget& target = kernels.target();
  if (target.column_access || task.packed()) return;
  const std::vector<unsigned> passes = transpose_passes(target);
  TransposeSpec spec;
  spec.layout = buffer.layout;
  spec.panels = buffer.layout.panels(columns);
  const u32 groups = buffer.layout.rows / target.lanes;
  for (std::size_t pass = 0; pass < passes.size(); ++pass) {
    spec.bits = passes[pass];
    const auto kernel = named(name, [&] { return kernels.transpose(spec, groups); });
    LaunchStep step;
    step.name = passes.size() == 1 ? name : fmt::format("{}.pass{}", name, pass);
    step.mapping = fmt::format(
        "tiles of {} x {} values in place, {} layers, {} tiles an instance, PEs {} x {} (rows, panels)", target.lanes,
        target.lanes, spec.bits, kernel->tiles_per_instance, kernel->shared_by[0], kernel->shared_by[1]);
    step.counts = {groups, kernel->counts[0], kernel->counts[1], kernel->counts[2]};
    step.tail_count = varying ? task.tail_groups() : groups;
    step.registers = {{transpose_register::matrix, buffer.offset, false}};
    step.kernel = kernel_of(kernel);
    task.add_launch(std::move(step));
    spec.first_bit += spec.bits;
  }
}

}  // namespace bvp
