// SPDX-License-Identifier: Apache-2.0
// Reads the firmware's ELF file.
#pragma once

#include <filesystem>
#include <vector>

#include "models/base/types.h"
#include "platform/run/symbol_table.h"
#include "platform/support/input_error.h"

namespace bvp {

/// Thrown if the boot RAM is too small for the firmware.
struct BootRamError : InputError {
  using InputError::InputError;
};

struct ElfImage {
  struct Part {
    u64 address = 0;
    std::vector<u8> bytes;  // as long as in memory; bytes that the file leaves out are 0
  };
  u64 entry = 0;
  std::vector<Part> parts;
  SymbolTable symbols;  // empty if the file has none that can be read
};

/// @param memory_base, memory_bytes  the range in which every part and the entry point must lie
/// @throws InputError  the file is missing, is not a 64-bit little-endian RISC-V executable, is cut off, lies outside
///        of the memory, or has overlapping segments. BootRamError: a larger memory would hold it; it says how large
[[nodiscard]] ElfImage read_elf(const std::filesystem::path& file, u64 memory_base, u64 memory_bytes);

struct MemoryRange {
  u64 base = 0, bytes = 0;
};
/// As above, for a program that may lie in several memories, the first of which is the boot RAM.
[[nodiscard]] ElfImage read_bare_elf(const std::filesystem::path& file, const std::vector<MemoryRange>& memories);

}  // namespace bvp
