// SPDX-License-Identifier: Apache-2.0
#include "models/dma/pace.h"

#include <algorithm>

namespace bvp {

void append_shape(const DmaDescriptor& descriptor, u32 burst_bytes, std::vector<u64>& shape) {
  constexpr u64 target_bytes = u64{1} << 28;
  const auto& counts = descriptor.count;
  const bool contiguous = std::all_of(counts.begin(), counts.end(), [](u32 count) { return count == 1; });
  // Runs that begin at the same distance from a multiple of a power of two not below their length are cut alike.
  u64 grain = contiguous ? burst_bytes : 1;
  while (grain < burst_bytes && grain < descriptor.length) grain *= 2;
  for (const u64 address : {descriptor.source, descriptor.destination}) {
    shape.push_back(address / target_bytes);
    shape.push_back(address % grain);
  }
  shape.push_back(contiguous ? 0 : descriptor.length);
  shape.push_back(descriptor.fill != 0 ? 1 : 0);
  std::size_t outermost = counts.size() - 1;
  while (outermost > 0 && counts[outermost] == 1) --outermost;
  for (std::size_t i = 0; i <= outermost && !contiguous; ++i) {
    if (counts[i] == 1) continue;
    shape.push_back(i < outermost ? counts[i] : 0);
    shape.push_back(static_cast<u64>(descriptor.source_stride[i]));
    shape.push_back(static_cast<u64>(descriptor.destination_stride[i]));
  }
}

BusyTransfers& PaceTable::find(const std::vector<const DmaDescriptor*>& transfers, u32 burst_bytes) {
  std::vector<u64> shape;
  for (const DmaDescriptor* transfer : transfers) {
    shape.push_back(transfer != nullptr ? 1 : 0);
    if (transfer != nullptr) append_shape(*transfer, burst_bytes, shape);
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
