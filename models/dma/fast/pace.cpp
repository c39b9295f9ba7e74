// SPDX-License-Identifier: Apache-2.0
#include "models/dma/fast/pace.h"

#include <algorithm>
#include <array>

namespace bvp {

namespace {

/// Two transfers of the same shape whose addresses are equal modulo this value are cut into bursts in the same way.
/// Runs that lie apart from each other are never cut if a power of two divides all strides and no run crosses one of
/// its multiples; then that power is the value.
u64 alignment(const DmaDescriptor& descriptor, u64 address, const std::array<i32, 3>& strides, u32 burst_bytes) {
  u64 grain = 1;
  while (grain < descriptor.length) grain *= 2;
  if (grain >= burst_bytes || address % grain + descriptor.length > grain) return burst_bytes;
  bool apart = false;
  for (std::size_t i = 0; i < strides.size(); ++i) {
    if (descriptor.count[i] == 1) continue;
    if (static_cast<u64>(i64{strides[i]}) % grain != 0) return burst_bytes;
    // The innermost count that is used tells how runs follow each other.
    if (!apart && i64{strides[i]} == i64{descriptor.length}) return burst_bytes;
    apart = true;
  }
  return grain;
}

}  // namespace

void append_shape(const DmaDescriptor& descriptor, bool indexed, u32 burst_bytes, std::vector<u64>& shape) {
  constexpr u64 target_bytes = u64{1} << 28;
  const auto& counts = descriptor.count;
  const bool contiguous = std::all_of(counts.begin(), counts.end(), [](u32 count) { return count == 1; });
  shape.push_back(descriptor.fill != 0 ? 1 : indexed ? 2 : 0);
  const auto append_place = [&](u64 address, const std::array<i32, 3>& strides) {
    shape.push_back(address / target_bytes);
    shape.push_back(address % alignment(descriptor, address, strides, burst_bytes));
  };
  if (descriptor.fill == 0) append_place(descriptor.source, descriptor.source_stride);
  append_place(descriptor.destination, descriptor.destination_stride);
  shape.push_back(contiguous ? 0 : descriptor.length);
  std::size_t outermost = counts.size() - 1;
  while (outermost > 0 && counts[outermost] == 1) --outermost;
  for (std::size_t i = 0; i <= outermost && !contiguous; ++i) {
    if (counts[i] == 1) continue;
    shape.push_back(i < outermost ? counts[i] : 0);
    shape.push_back(static_cast<u64>(descriptor.source_stride[i]));
    shape.push_back(static_cast<u64>(descriptor.destination_stride[i]));
  }
}

BusyTransfers& PaceTable::find(const std::vector<const DmaChannel*>& transfers, u32 burst_bytes) {
  std::vector<u64> shape;
  for (const DmaChannel* transfer : transfers) {
    shape.push_back(transfer != nullptr ? 1 : 0);
    if (transfer != nullptr) append_shape(transfer->descriptor, transfer->indices.bound != 0, burst_bytes, shape);
  }
  constexpr std::size_t remembered = 4096;
  if (known_.size() >= remembered) known_.clear();
  BusyTransfers& busy = known_[std::move(shape)];
  if (busy.paces.empty()) {
    busy.pattern = ++patterns_;
    busy.paces.resize(transfers.size());
  }
  return busy;
}

}  // namespace bvp
