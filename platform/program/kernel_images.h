// SPDX-License-Identifier: Apache-2.0
// The kernel images among the memory contents that the compiler leaves.
#pragma once

#include <optional>
#include <vector>

#include "models/abi/records.h"
#include "platform/program/compiled_network.h"

namespace bvp {

/// A part of a blob.
struct MemoryView {
  u64 address = 0;
  const u8* bytes = nullptr;
  u64 size = 0;
};

/// nullopt if no blob has all of it.
[[nodiscard]] std::optional<MemoryView> memory_at(const CompiledNetwork& network, u64 address, u64 size);

[[nodiscard]] NetworkHeader header_of(const CompiledNetwork& network);
/// Of all tasks, one after the other.
[[nodiscard]] std::vector<Step> steps_of(const CompiledNetwork& network);
/// Each image once, by its address.
[[nodiscard]] std::vector<MemoryView> kernel_images(const CompiledNetwork& network);

}  // namespace bvp
