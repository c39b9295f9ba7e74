// SPDX-License-Identifier: Apache-2.0
// Where everything lies on the SoC's bus, and which interrupt line is whose: the rows of blocks.def as values.
#pragma once

#include <string>
#include <vector>

#include "models/base/types.h"

namespace bvp {

namespace memory_map {
#define BVP_TARGET(name, socket, base, span, description) \
  inline constexpr u64 name##_base = base;                \
  inline constexpr u64 name##_span = span;
#include "platform/soc/blocks.def"
}  // namespace memory_map

struct MemoryRegion {
  std::string name;  ///< of the block
  u64 base;
  u64 span;  ///< bytes; of a memory, the most that it can have
  std::string description;
};

/// From the lowest address to the highest.
[[nodiscard]] std::vector<MemoryRegion> memory_regions();

/// A line of the interrupt controller.
struct InterruptLine {
  std::string name;  ///< of the block that drives it
  unsigned line;
  std::string description;  ///< what raises it
};

/// From the lowest line to the highest.
[[nodiscard]] std::vector<InterruptLine> interrupt_lines();

}  // namespace bvp
