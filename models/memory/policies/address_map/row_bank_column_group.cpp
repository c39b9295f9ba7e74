// SPDX-License-Identifier: Apache-2.0
#include "models/memory/policies/address_fields.h"

namespace bvp::address_map {
namespace {

/// From the lowest bit: byte in the access, bank group, column, bank in group, row, with the channel's bits cut
/// out at the interleaving. Consecutive accesses thus alternate between bank groups and a stream stays in the
/// same few rows for long. Column bits are folded into the channel and the group, row bits into the bank:
/// both only permute within a row address, so the map stays one-to-one.
class RowBankColumnGroup final : public DramAddressMap {
 public:
  explicit RowBankColumnGroup(const DramParameters& parameters) : bits_(parameters) {}

  [[nodiscard]] DramLocation locate(u64 address) const override {
    using Fields = DramAddressFields;
    const u64 upper = address >> (bits_.interleave + bits_.channel);
    u64 channel = address >> bits_.interleave;
    u64 rest = bits_.within_channel(address) >> Fields::access;
    u64 group = rest;
    rest >>= bits_.group;
    const u64 column = rest & Fields::mask(bits_.column);
    rest >>= bits_.column;
    u64 bank = rest;
    const u64 row = rest >> bits_.bank;
    if (bits_.hash) {
      channel ^= Fields::fold(upper, bits_.channel);
      group ^= Fields::fold(column ^ row, bits_.group);
      bank ^= Fields::fold(row, bits_.bank);
    }
    return bits_.location(channel, bank, group, row);
  }

 private:
  DramAddressFields bits_;
};

}  // namespace

std::unique_ptr<DramAddressMap> row_bank_column_group(const DramParameters& parameters) {
  return std::make_unique<RowBankColumnGroup>(parameters);
}

}  // namespace bvp::address_map
