// SPDX-License-Identifier: Apache-2.0
// Which channel, bank and row an address lies in.
#pragma once

#include "models/base/types.h"
#include "models/memory/dram_parameters.h"

namespace bvp {

/// Bytes of one access: the burst of the devices, whatever the request's size.
inline constexpr u64 dram_access_bytes = 64;

struct DramLocation {
  u32 channel;
  u32 bank;  ///< bank in group * groups + group
  u64 row;
};

/// From the lowest bit: byte in the access, bank group, column, bank in group, row, with the channel's bits cut
/// out at the interleaving. Consecutive accesses thus alternate between bank groups and a stream stays in the
/// same few rows for long. Column bits are folded into the channel and the group, row bits into the bank:
/// both only permute within a row address, so the map stays one-to-one.
class DramAddressMap {
 public:
  explicit DramAddressMap(const DramParameters& parameters)
      : interleave_bits_(bits(parameters.interleave_bytes)),
        channel_bits_(bits(parameters.channels)),
        group_bits_(bits(parameters.bank_groups)),
        bank_bits_(bits(parameters.banks) - group_bits_),
        column_bits_(bits(parameters.row_bytes) - access_bits),
        hash_(parameters.bank_hash) {}

  [[nodiscard]] DramLocation locate(u64 address) const {
    const u64 upper = address >> (interleave_bits_ + channel_bits_);
    const u64 local = (upper << interleave_bits_) | (address & mask(interleave_bits_));
    u64 channel = address >> interleave_bits_;
    u64 rest = local >> access_bits;
    u64 group = rest;
    rest >>= group_bits_;
    const u64 column = rest & mask(column_bits_);
    rest >>= column_bits_;
    u64 bank = rest;
    const u64 row = rest >> bank_bits_;
    if (hash_) {
      channel ^= fold(upper, channel_bits_);
      group ^= fold(column ^ row, group_bits_);
      bank ^= fold(row, bank_bits_);
    }
    return {static_cast<u32>(channel & mask(channel_bits_)),
            static_cast<u32>(((bank & mask(bank_bits_)) << group_bits_) | (group & mask(group_bits_))), row};
  }

 private:
  static constexpr unsigned access_bits = 6;
  static constexpr unsigned bits(i64 power) { return static_cast<unsigned>(__builtin_ctzll(static_cast<u64>(power))); }
  static constexpr u64 mask(unsigned count) { return (u64{1} << count) - 1; }
  /// Exclusive or of all groups of `count` bits; addresses have at most 32 bits.
  static u64 fold(u64 value, unsigned count) {
    if (count == 0) return 0;
    for (unsigned shift = count; shift < 32; shift *= 2) value ^= value >> shift;
    return value;
  }

  unsigned interleave_bits_, channel_bits_, group_bits_, bank_bits_, column_bits_;
  bool hash_;
};

}  // namespace bvp
