// SPDX-License-Identifier: Apache-2.0
// Physical memory protection (PMP) of the RISC-V privileged architecture, as machine mode is subject to it.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "models/base/types.h"

namespace bvp {

/// The registers pmpcfg0 and pmpaddr0 to pmpaddr3. Machine mode, the only one here, is bound by locked entries alone;
/// the entry of the lowest number that covers an address decides, locked or not. The smallest region is a page of 4
/// KiB. Of the rights there are none, reading alone, and all: others become all.
class PhysicalMemoryProtection {
 public:
  static constexpr unsigned entries = 4;
  static constexpr unsigned read = 1, write = 2, execute = 4;  ///< rights, and bits of a configuration
  static constexpr unsigned all_rights = read | write | execute;

  [[nodiscard]] u64 configuration() const;
  void set_configuration(u64 value);
  /// pmpaddrN as software reads it: its lowest bits depend on the entry's mode.
  [[nodiscard]] u64 address(unsigned entry) const;
  void set_address(unsigned entry, u64 value);

  /// Whether any entry binds machine mode.
  [[nodiscard]] bool in_force() const;
  [[nodiscard]] unsigned rights(u64 address) const;
  /// Whether an access to all of [address, address + bytes) has these rights.
  [[nodiscard]] bool allows(u64 address, u64 bytes, unsigned needed) const;
  /// Addresses at which rights may change.
  [[nodiscard]] std::vector<u64> boundaries() const;

 private:
  enum class Mode : unsigned { off = 0, top_of_range = 1, power_of_two = 3 };
  /// [first, last]
  struct Range {
    u64 first, last;
  };

  [[nodiscard]] Mode mode(unsigned entry) const;
  [[nodiscard]] bool locked(unsigned entry) const;
  [[nodiscard]] std::optional<Range> range(unsigned entry) const;

  std::array<u8, entries> configurations_{};
  std::array<u64, entries> addresses_{};
};

}  // namespace bvp
