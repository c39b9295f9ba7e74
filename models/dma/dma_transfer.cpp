// SPDX-License-Identifier: Apache-2.0
#include "models/dma/dma_transfer.h"

#include <algorithm>
#include <numeric>

namespace bvp {
namespace {

/// Computes the span of addresses; false if an address would need more than 64 bits.
bool find_span(const DmaDescriptor& descriptor, u64 base, const std::array<i32, 3>& strides, DmaSpan& span) {
  // The counts' product is at most 2^32, so the sums stay within 2^63.
  u64 below = 0;
  u64 above = descriptor.length - 1;
  for (std::size_t i = 0; i < 3; ++i) {
    const i64 reach = static_cast<i64>(strides[i]) * (static_cast<i64>(descriptor.count[i]) - 1);
    if (reach < 0) {
      below += static_cast<u64>(-reach);
    } else {
      above += static_cast<u64>(reach);
    }
  }
  if (below > base || above > ~base) return false;
  span = {base - below, base + above};
  return true;
}

/// Greatest common divisor of the strides that either side uses; 0 if there are no strides.
u64 common_stride(const DmaDescriptor& descriptor) {
  i64 common = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    if (descriptor.count[i] == 1) continue;
    common = std::gcd(common, std::gcd(static_cast<i64>(descriptor.source_stride[i]),
                                       static_cast<i64>(descriptor.destination_stride[i])));
  }
  return static_cast<u64>(common);
}

bool are_apart(const DmaDescriptor& descriptor, const DmaSpan& source, const DmaSpan& destination) {
  if (source.last < destination.first || destination.last < source.first) return true;
  const u64 common = common_stride(descriptor);
  if (common == 0) return false;
  const u64 distance = (descriptor.destination % common + common - descriptor.source % common) % common;
  return distance >= descriptor.length && common - distance >= descriptor.length;
}

}  // namespace

DmaStatus validate(const DmaDescriptor& descriptor) {
  constexpr u32 fill_bits = dma_fill_flag | 0xffff;
  const bool fill = descriptor.fill != 0;
  if (descriptor.reserved != 0 || descriptor.length == 0) return DmaStatus::bad_descriptor;
  if (fill && ((descriptor.fill & dma_fill_flag) == 0 || (descriptor.fill & ~fill_bits) != 0)) {
    return DmaStatus::bad_descriptor;
  }
  u64 bytes = descriptor.length;
  for (const u32 count : descriptor.count) {
    if (count == 0 || bytes > dma_max_transfer_bytes / count) return DmaStatus::bad_descriptor;
    bytes *= count;
  }
  DmaSpan source{}, destination{};
  if (!find_span(descriptor, descriptor.destination, descriptor.destination_stride, destination)) {
    return DmaStatus::bad_descriptor;
  }
  if (fill) return DmaStatus::ok;
  if (!find_span(descriptor, descriptor.source, descriptor.source_stride, source)) return DmaStatus::bad_descriptor;
  return are_apart(descriptor, source, destination) ? DmaStatus::ok : DmaStatus::bad_descriptor;
}

void DmaTransfer::start(const DmaDescriptor& descriptor) {
  descriptor_ = descriptor;
  find_span(descriptor, descriptor.source, descriptor.source_stride, source_span_);
  find_span(descriptor, descriptor.destination, descriptor.destination_stride, destination_span_);
  source_ = descriptor.source;
  destination_ = descriptor.destination;
  offset_ = 0;
  index_ = {};
  remaining_ = descriptor.length;
  for (const u32 count : descriptor.count) remaining_ *= count;
}

void DmaTransfer::advance_run() {
  offset_ = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto source_stride = static_cast<u64>(static_cast<i64>(descriptor_.source_stride[i]));
    const auto destination_stride = static_cast<u64>(static_cast<i64>(descriptor_.destination_stride[i]));
    if (++index_[i] < descriptor_.count[i]) {
      source_ += source_stride;
      destination_ += destination_stride;
      return;
    }
    index_[i] = 0;
    source_ -= source_stride * (descriptor_.count[i] - 1);
    destination_ -= destination_stride * (descriptor_.count[i] - 1);
  }
}

void DmaTransfer::move_to(u64 position) {
  offset_ = static_cast<u32>(position % descriptor_.length);
  position /= descriptor_.length;
  source_ = descriptor_.source;
  destination_ = descriptor_.destination;
  for (std::size_t i = 0; i < 3; ++i) {
    index_[i] = static_cast<u32>(position % descriptor_.count[i]);
    position /= descriptor_.count[i];
    source_ += static_cast<u64>(static_cast<i64>(descriptor_.source_stride[i]) * index_[i]);
    destination_ += static_cast<u64>(static_cast<i64>(descriptor_.destination_stride[i]) * index_[i]);
  }
}

void DmaTransfer::skip(u64 bytes) {
  u64 all = descriptor_.length;
  for (const u32 count : descriptor_.count) all *= count;
  move_to(all - remaining_ + bytes);
  remaining_ -= bytes;
}

void DmaTransfer::skip(u64 bytes, std::vector<DmaRun>& runs) {
  remaining_ -= bytes;
  while (bytes != 0) {
    const auto part = static_cast<u32>(std::min<u64>(bytes, descriptor_.length - offset_));
    runs.push_back({source_ + offset_, destination_ + offset_, part});
    bytes -= part;
    offset_ += part;
    if (offset_ == descriptor_.length) advance_run();
  }
}

void DmaTransfer::next(DmaBurst& burst) {
  const bool fill = descriptor_.fill != 0;
  burst.source.clear();
  burst.destination.clear();
  burst.bytes = 0;
  const auto append = [](std::vector<DmaSegment>& segments, bool joins, u64 address, u32 bytes) {
    if (joins) {
      segments.back().bytes += bytes;
    } else {
      segments.push_back({address, bytes});
    }
  };
  const auto joins = [](const std::vector<DmaSegment>& segments, u64 address) {
    return !segments.empty() && segments.back().address + segments.back().bytes == address;
  };
  while (remaining_ != 0) {
    const u64 source = source_ + offset_;
    const u64 destination = destination_ + offset_;
    const bool joins_source = !fill && joins(burst.source, source);
    const bool joins_destination = joins(burst.destination, destination);
    const bool one_source = !fill && (burst.bytes == 0 || (joins_source && burst.source.size() == 1));
    const bool one_destination = burst.bytes == 0 || (joins_destination && burst.destination.size() == 1);
    if (!one_source && !one_destination) return;
    const u64 aligned = one_source ? source : destination;
    const auto to_boundary = static_cast<u32>(burst_bytes_ - aligned % burst_bytes_);
    if (burst.bytes != 0 && to_boundary == burst_bytes_) return;
    const u32 bytes = std::min({burst_bytes_ - burst.bytes, descriptor_.length - offset_, to_boundary});
    if (!fill) append(burst.source, joins_source, source, bytes);
    append(burst.destination, joins_destination, destination, bytes);
    burst.bytes += bytes;
    remaining_ -= bytes;
    offset_ += bytes;
    if (offset_ == descriptor_.length) advance_run();
    if (burst.bytes == burst_bytes_) return;
  }
}

}  // namespace bvp
