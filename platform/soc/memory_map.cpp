// SPDX-License-Identifier: Apache-2.0
#include "platform/soc/memory_map.h"

#include <algorithm>

namespace bvp {

std::vector<MemoryRegion> memory_regions() {
  std::vector<MemoryRegion> regions{
#define BVP_TARGET(name, socket, base, span, description) {#name, base, span, description},
#include "platform/soc/blocks.def"
  };
  std::sort(regions.begin(), regions.end(),
            [](const MemoryRegion& a, const MemoryRegion& b) { return a.base < b.base; });
  return regions;
}

std::vector<InterruptLine> interrupt_lines() {
  std::vector<InterruptLine> lines{
#define BVP_INTERRUPT(name, socket, line, description) {#name, line, description},
#include "platform/soc/blocks.def"
  };
  std::sort(lines.begin(), lines.end(), [](const InterruptLine& a, const InterruptLine& b) { return a.line < b.line; });
  return lines;
}

}  // namespace bvp
