// SPDX-License-Identifier: Apache-2.0
// Transposition of buffers for machines whose scratchpad cannot be accessed by column. An operator that accesses a
// matrix by column then accesses the rows of its transposed tiles (PanelLayout::transposed).
#pragma once

#include <string>

#include "platform/compiler/ir/task_builder.h"
#include "platform/compiler/kernels/kernel_library.h"

namespace bvp {

/// The buffer as it is seen by operators that access its columns.
[[nodiscard]] TileBuffer for_columns(const CompilerTarget& target, TileBuffer buffer);

/// Transposes the tiles of the buffer's first `columns` columns, from the order of rows to that of for_columns or back.
/// Does nothing if both orders are the same, or if the DMA transposes (TaskBuilder::pack).
/// @param varying  the rows are those of the tile, fewer in its tail
void add_transpose(TaskBuilder& task, const KernelLibrary& kernels, const std::string& name, const TileBuffer& buffer,
                   u64 columns, bool varying);

}  // namespace bvp
