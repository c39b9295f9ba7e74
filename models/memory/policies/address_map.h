// SPDX-License-Identifier: Apache-2.0
// Maps an address to channel, bank and row. Each implementation is a file in address_map/, found by the name of the
// file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/base/types.h"

namespace bvp {

struct DramParameters;

/// Bytes of one access, the unit in which the controller reads and writes, whatever the size of the request.
inline constexpr u64 dram_access_bytes = 64;

struct DramLocation {
  u32 channel;
  u32 bank;  ///< bank in group * groups + group
  u64 row;
};

/// Contract: the map is one-to-one. All bytes of an access lie in one row. Every row of every bank of every channel
/// holds `row_bytes` addresses. The result depends on the address and the parameters alone.
class DramAddressMap {
 public:
  virtual ~DramAddressMap() = default;
  /// @param address  the address of a byte, below 4 GB
  [[nodiscard]] virtual DramLocation locate(u64 address) const = 0;
};

/// The parameter `address_map` names it; its choices are dram_address_map_names().
[[nodiscard]] std::unique_ptr<DramAddressMap> make_dram_address_map(const DramParameters& parameters);
[[nodiscard]] std::vector<std::string> dram_address_map_names();

}  // namespace bvp
