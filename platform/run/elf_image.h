// SPDX-License-Identifier: Apache-2.0
// Reads the firmware's ELF file.
#pragma once

#include <filesystem>
#include <vector>

#include "models/base/types.h"
#include "platform/support/input_error.h"

namespace bvp {

/// The boot RAM is too small for the firmware.
struct BootRamError : InputError {
  using InputError::InputError;
};

struct ElfImage {
  struct Part {
    u64 address = 0;
    std::vector<u8> bytes;  // as long as in memory: what the file leaves out is 0
  };
  u64 entry = 0;
  std::vector<Part> parts;
};

/// @param memory_base, memory_bytes  where every part and the entry must lie
/// @throws InputError  missing, not a 64-bit little-endian RISC-V executable, cut off, outside of the memory, or with
/// segments that overlap. BootRamError: a larger memory would hold it, and how large
[[nodiscard]] ElfImage read_elf(const std::filesystem::path& file, u64 memory_base, u64 memory_bytes);

}  // namespace bvp
