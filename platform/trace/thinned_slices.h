// SPDX-License-Identifier: Apache-2.0
// Slices of a trace within a limited number of bytes. If they exceed it, whole stretches of time, spread evenly over
// the run, are left out. The stretches that stay are complete, and show all phases of the run.
#pragma once

#include <utility>
#include <vector>

#include "models/base/types.h"

namespace bvp {

/// The place of slices and counters; a process is a group of tracks.
struct TraceTrack {
  u32 process = 0, thread = 0;
};

struct TraceSlice {
  TraceTrack track;
  u32 name = 0;   // index of the owner's
  u32 bytes = 0;  // in the file
  double begin_s = 0, end_s = 0;
};

class ThinnedSlices {
 public:
  /// @param mark_bytes  bytes for marking a stretch that is kept
  ThinnedSlices(u64 max_bytes, u64 mark_bytes) : max_bytes_(max_bytes), mark_bytes_(mark_bytes) {}

  void add(const TraceSlice& slice);

  [[nodiscard]] const std::vector<TraceSlice>& slices() const { return slices_; }
  [[nodiscard]] u64 dropped() const { return dropped_; }
  /// Bytes including the marks; never above the limit.
  [[nodiscard]] u64 bytes() const { return bytes_ + mark_bytes_ * stretch_count(); }
  /// Begin and end of the stretches whose slices were kept; empty if nothing was left out.
  [[nodiscard]] std::vector<std::pair<double, double>> stretches() const;

 private:
  [[nodiscard]] bool keeps(double begin_s) const;
  [[nodiscard]] u64 stretch_count() const;
  void thin();

  const u64 max_bytes_, mark_bytes_;
  std::vector<TraceSlice> slices_;
  u64 bytes_ = 0, dropped_ = 0;
  bool thinned_ = false;
  double period_s_ = 2e-6, kept_s_ = 2e-6;  // the first kept_s_ of each period are kept
  double last_s_ = 0;                       // latest begin
};

}  // namespace bvp
