// SPDX-License-Identifier: Apache-2.0
// Windows of memory through which units of the accelerator may make accesses.
#pragma once

#include <array>

#include "models/base/types.h"

namespace bvp {

/// A window is open to a set of sources, for reads, writes or both. Windows only add rights, so their order means
/// nothing.
struct AccessWindow {
  u64 base = 0, size = 0;  ///< in bytes; a size of 0 opens nothing
  bool read = false, write = false;
  u32 sources = 0;  ///< a bit for each AccessSource

  /// Whether it opens all of [address, address + bytes), at least one byte.
  [[nodiscard]] bool admits(u32 source, bool for_write, u64 address, u64 bytes) const {
    const bool open = (for_write ? write : read) && source < 32 && (sources >> source & 1) != 0;
    return open && address >= base && address - base < size && bytes <= size - (address - base);
  }
};

/// A window's CONFIG register.
struct WindowConfig {
  static constexpr unsigned read_bit = 0, write_bit = 1, lock_bit = 7, sources_lsb = 8;
  [[nodiscard]] static constexpr u32 word(bool read, bool write, u32 sources) {
    return u32{read} << read_bit | u32{write} << write_bit | sources << sources_lsb;
  }
};

struct AccessWindows {
  static constexpr u32 count = 16;
  std::array<AccessWindow, count> windows;

  /// Whether one of them opens all of [address, address + bytes).
  [[nodiscard]] bool admit(u32 source, bool write, u64 address, u64 bytes) const {
    for (const AccessWindow& window : windows) {
      if (window.admits(source, write, address, bytes)) return true;
    }
    return false;
  }
};

}  // namespace bvp
