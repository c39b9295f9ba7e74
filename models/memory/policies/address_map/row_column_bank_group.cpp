// SPDX-License-Identifier: Apache-2.0
#include "models/memory/policies/address_fields.h"

namespace bvp::address_map {
namespace {

/// From the lowest bit: byte in the access, bank group, bank in group, column, row, with the channel's bits cut out at
/// the interleaving. Consecutive accesses thus go to all banks in turn, and a stream opens one row in each. Row bits
/// are folded into the bank and the group, which only permutes the banks of a row address.
class RowColumnBankGroup final : public DramAddressMap {
 public:
  explicit RowColumnBankGroup(const DramParameters& parameters) : bits_(parameters) {}

  [[nodiscard]] DramLocation locate(u64 address) const override {
    using Fields = DramAddressFields;
    u64 channel = address >> bits_.interleave;
    u64 group = bits_.within_channel(address) >> Fields::access;
    u64 bank = group >> bits_.group;
    const u64 row = bank >> (bits_.bank + bits_.column);
    if (bits_.hash) {
      channel ^= Fields::fold(address >> (bits_.interleave + bits_.channel), bits_.channel);
      group ^= Fields::fold(row, bits_.group);
      bank ^= Fields::fold(row, bits_.bank);
    }
    return bits_.location(channel, bank, group, row);
  }

 private:
  DramAddressFields bits_;
};

}  // namespace

std::unique_ptr<DramAddressMap> row_column_bank_group(const DramParameters& parameters) {
  return std::make_unique<RowColumnBankGroup>(parameters);
}

}  // namespace bvp::address_map
