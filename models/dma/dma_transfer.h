// SPDX-License-Identifier: Apache-2.0
// A DMA descriptor cut into bursts.
#pragma once

#include <array>
#include <vector>

#include "models/abi/dma_status.h"
#include "models/abi/records.h"

namespace bvp {

/// Bytes at consecutive addresses.
struct DmaSegment {
  u64 address;
  u32 bytes;
};

/// Consecutive bytes of a transfer. At least one of the two sides is a single segment.
struct DmaBurst {
  std::vector<DmaSegment> source;  ///< empty for a fill
  std::vector<DmaSegment> destination;
  u32 bytes = 0;
};

/// Bytes that are consecutive on both sides.
struct DmaRun {
  u64 source, destination;
  u32 bytes;
};

/// First and last byte that one side of a transfer touches.
struct DmaSpan {
  u64 first, last;
};

/// Whether the descriptor describes a transfer: no size is zero, the data have at most 4 GB, no address goes beyond 64
/// bits, reserved bits are 0, and source and destination do not overlap. They do not overlap when the address ranges
/// that they span are apart, or when they occupy different residues modulo the greatest common divisor of all strides
/// (for example different columns of one matrix).
[[nodiscard]] DmaStatus validate(const DmaDescriptor& descriptor);
/// The same for an indexed transfer, which is no fill. The range that its source spans is that of all indices below the
/// bound, and it is apart from that of the destination. The indices lie at a multiple of 4.
/// @param most_indices  that the engine holds
[[nodiscard]] DmaStatus validate(const IndexedDescriptor& indexed, u32 most_indices);

/// Walks a valid descriptor burst by burst.
class DmaTransfer {
 public:
  explicit DmaTransfer(u32 burst_bytes) : burst_bytes_(burst_bytes) {}

  /// @param indices  of an indexed transfer, one for each repetition of the outermost dimension; otherwise empty
  void start(const DmaDescriptor& descriptor, std::vector<u32> indices = {});
  [[nodiscard]] bool finished() const { return remaining_ == 0; }
  /// Returns the next burst: at most `burst_bytes`, as long as the next run continues it on at least one side, and
  /// without crossing a multiple of `burst_bytes` on that side (on the source if both sides continue).
  void next(DmaBurst& burst);
  [[nodiscard]] u64 remaining() const { return remaining_; }
  /// Where the next byte goes; no meaning if the transfer is finished.
  [[nodiscard]] u64 destination() const { return destination_ + offset_; }
  /// The span of the whole transfer, whatever remains of it; for a fill the source has no meaning.
  [[nodiscard]] const DmaSpan& source_span() const { return source_span_; }
  [[nodiscard]] const DmaSpan& destination_span() const { return destination_span_; }
  [[nodiscard]] u32 burst_bytes() const { return burst_bytes_; }
  /// Skips the next bytes, at most those that remain.
  void skip(u64 bytes);
  /// Skips the next bytes and appends their runs to `runs`.
  void skip(u64 bytes, std::vector<DmaRun>& runs);

 private:
  void advance_run();
  /// What the source stride of a dimension is multiplied by in its repetition i.
  [[nodiscard]] u32 source_index(std::size_t dimension, u32 i) const {
    return dimension == indexed_dimension && !indices_.empty() ? indices_[i] : i;
  }
  /// Goes to the byte at this distance from the beginning.
  void move_to(u64 position);

  static constexpr std::size_t indexed_dimension = 2;

  u32 burst_bytes_;
  DmaDescriptor descriptor_{};
  std::vector<u32> indices_;
  DmaSpan source_span_{}, destination_span_{};
  u64 source_ = 0, destination_ = 0;  // of the present run
  u32 offset_ = 0;                    // bytes of the present run that are done
  std::array<u32, 3> index_{};
  u64 remaining_ = 0;
};

}  // namespace bvp
