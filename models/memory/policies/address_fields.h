// SPDX-License-Identifier: Apache-2.0
// Widths of the fields of an address, for address maps.
#pragma once

#include "models/memory/dram_parameters.h"
#include "models/memory/policies/address_map.h"

namespace bvp {

/// Bits of each field; all sizes are powers of two.
struct DramAddressFields {
  explicit DramAddressFields(const DramParameters& parameters)
      : interleave(bits(parameters.geometry.interleave_bytes)),
        channel(bits(parameters.geometry.channels)),
        group(bits(parameters.geometry.bank_groups)),
        bank(bits(parameters.geometry.banks) - group),
        column(bits(parameters.geometry.row_bytes) - access),
        hash(parameters.bank_hash) {}

  static constexpr unsigned access = __builtin_ctzll(dram_access_bytes);

  static constexpr u64 mask(unsigned count) { return (u64{1} << count) - 1; }
  /// Exclusive or of all groups of `count` bits of a value; addresses have at most 32 bits.
  static u64 fold(u64 value, unsigned count) {
    if (count == 0) return 0;
    for (unsigned shift = count; shift < 32; shift *= 2) value ^= value >> shift;
    return value;
  }

  /// The address without the channel's bits, which lie above `interleave`.
  [[nodiscard]] u64 within_channel(u64 address) const {
    return (address >> (interleave + channel) << interleave) | (address & mask(interleave));
  }
  /// Makes a location. Bits of the numbers of channel, bank in group and group that do not fit are dropped.
  [[nodiscard]] DramLocation location(u64 channel_number, u64 bank_number, u64 group_number, u64 row) const {
    return {static_cast<u32>(channel_number & mask(channel)),
            static_cast<u32>(((bank_number & mask(bank)) << group) | (group_number & mask(group))), row};
  }

  unsigned interleave, channel, group, bank, column;
  bool hash;  ///< fold upper bits into channel and bank

 private:
  static constexpr unsigned bits(i64 power) { return static_cast<unsigned>(__builtin_ctzll(static_cast<u64>(power))); }
};

}  // namespace bvp
