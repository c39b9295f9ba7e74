// SPDX-License-Identifier: Apache-2.0
#include "models/dma/dma_transfer.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace bvp {
namespace {

/// The repetitions of a dimension, or the indices that take their place: from the first to the last, both included.
struct Extent {
  u32 first = 0, last = 0;
};

std::array<Extent, 3> extents_of(const DmaDescriptor& descriptor) {
  return {{{0, descriptor.count[0] - 1}, {0, descriptor.count[1] - 1}, {0, descriptor.count[2] - 1}}};
}

/// Computes the span of addresses; false if an address would need more than 64 bits.
bool find_span(u64 base, u32 length, const std::array<i32, 3>& strides, const std::array<Extent, 3>& extents,
               DmaSpan& span) {
  // Each of three products has less than 63 bits, and of the sums none exceeds 2^64.
  u64 below = 0;
  u64 above = length - 1;
  const auto add = [&](i64 reach) {
    if (reach < 0) {
      below += static_cast<u64>(-reach);
    } else {
      above += static_cast<u64>(reach);
    }
  };
  i64 begin = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    begin += i64{strides[i]} * extents[i].first;
    add(i64{strides[i]} * (i64{extents[i].last} - i64{extents[i].first}));
  }
  const u64 first = base + static_cast<u64>(begin);
  if (begin < 0 ? static_cast<u64>(-begin) > base : static_cast<u64>(begin) > ~base) return false;
  if (below > first || above > ~first) return false;
  span = {first - below, first + above};
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

bool are_apart(const DmaSpan& source, const DmaSpan& destination) {
  return source.last < destination.first || destination.last < source.first;
}

bool are_apart(const DmaDescriptor& descriptor, const DmaSpan& source, const DmaSpan& destination) {
  if (are_apart(source, destination)) return true;
  const u64 common = common_stride(descriptor);
  if (common == 0) return false;
  const u64 distance = (descriptor.destination % common + common - descriptor.source % common) % common;
  return distance >= descriptor.length && common - distance >= descriptor.length;
}

/// What does not depend on where the source lies.
bool is_valid(const DmaDescriptor& descriptor, DmaSpan& destination) {
  constexpr u32 fill_bits = dma_fill_flag | 0xffff;
  const bool fill = descriptor.fill != 0;
  if (descriptor.reserved != 0 || descriptor.length == 0) return false;
  if (fill && ((descriptor.fill & dma_fill_flag) == 0 || (descriptor.fill & ~fill_bits) != 0)) return false;
  u64 bytes = descriptor.length;
  for (const u32 count : descriptor.count) {
    if (count == 0 || bytes > dma_max_transfer_bytes / count) return false;
    bytes *= count;
  }
  return find_span(descriptor.destination, descriptor.length, descriptor.destination_stride, extents_of(descriptor),
                   destination);
}

}  // namespace

DmaStatus validate(const DmaDescriptor& descriptor) {
  DmaSpan source{}, destination{};
  if (!is_valid(descriptor, destination)) return DmaStatus::bad_descriptor;
  if (descriptor.fill != 0) return DmaStatus::ok;
  const bool valid =
      find_span(descriptor.source, descriptor.length, descriptor.source_stride, extents_of(descriptor), source) &&
      are_apart(descriptor, source, destination);
  return valid ? DmaStatus::ok : DmaStatus::bad_descriptor;
}

DmaStatus validate(const IndexedDescriptor& indexed, u32 most_indices) {
  const DmaDescriptor& descriptor = indexed.descriptor;
  const DmaIndices& indices = indexed.indices;
  DmaSpan source{}, destination{};
  if (!is_valid(descriptor, destination) || descriptor.fill != 0) return DmaStatus::bad_descriptor;
  if (descriptor.count[2] > most_indices || indices.bound == 0 || indices.reserved != 0) {
    return DmaStatus::bad_descriptor;
  }
  if (indices.address % sizeof(u32) != 0 || indices.address > ~u64{0} - descriptor.count[2] * sizeof(u32)) {
    return DmaStatus::bad_descriptor;
  }
  std::array<Extent, 3> extents = extents_of(descriptor);
  extents[2].last = indices.bound - 1;
  const bool valid = find_span(descriptor.source, descriptor.length, descriptor.source_stride, extents, source) &&
                     are_apart(source, destination);
  return valid ? DmaStatus::ok : DmaStatus::bad_descriptor;
}

void DmaTransfer::start(const DmaDescriptor& descriptor, std::vector<u32> indices) {
  descriptor_ = descriptor;
  indices_ = std::move(indices);
  std::array<Extent, 3> extents = extents_of(descriptor);
  find_span(descriptor.destination, descriptor.length, descriptor.destination_stride, extents, destination_span_);
  if (!indices_.empty()) {
    const auto [least, most] = std::minmax_element(indices_.begin(), indices_.end());
    extents[indexed_dimension] = {*least, *most};
  }
  find_span(descriptor.source, descriptor.length, descriptor.source_stride, extents, source_span_);
  move_to(0);
  remaining_ = descriptor.length;
  for (const u32 count : descriptor.count) remaining_ *= count;
}

void DmaTransfer::advance_run() {
  offset_ = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto source_stride = static_cast<u64>(static_cast<i64>(descriptor_.source_stride[i]));
    const auto destination_stride = static_cast<u64>(static_cast<i64>(descriptor_.destination_stride[i]));
    const u64 before = source_index(i, index_[i]);
    if (++index_[i] < descriptor_.count[i]) {
      source_ += source_stride * (source_index(i, index_[i]) - before);
      destination_ += destination_stride;
      return;
    }
    index_[i] = 0;
    source_ -= source_stride * (before - source_index(i, 0));
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
    source_ += static_cast<u64>(i64{descriptor_.source_stride[i]} * source_index(i, index_[i]));
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
