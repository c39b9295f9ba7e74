// SPDX-License-Identifier: Apache-2.0
#include "platform/trace/thinned_slices.h"

#include <algorithm>
#include <cmath>

namespace bvp {

namespace {
/// With fewer and longer stretches only a part of the run is shown; with more and shorter ones only fragments of
/// slices.
constexpr double most_stretches = 16;
constexpr double shortest_stretch_s = 1e-9;
}  // namespace

bool ThinnedSlices::keeps(double begin_s) const { return !thinned_ || std::fmod(begin_s, period_s_) < kept_s_; }

u64 ThinnedSlices::stretch_count() const {
  return thinned_ && kept_s_ > 0 ? static_cast<u64>(last_s_ / period_s_) + 1 : 0;
}

void ThinnedSlices::add(const TraceSlice& slice) {
  last_s_ = std::max(last_s_, slice.begin_s);
  if (keeps(slice.begin_s)) {
    slices_.push_back(slice);
    bytes_ += slice.bytes;
  } else {
    ++dropped_;
  }
  // A slice that is not kept may add a stretch, whose mark takes bytes too.
  while (bytes() > max_bytes_) thin();
}

void ThinnedSlices::thin() {
  thinned_ = true;
  if (last_s_ / period_s_ > most_stretches) {
    period_s_ *= 2;
  } else {
    kept_s_ = kept_s_ > shortest_stretch_s ? kept_s_ / 2 : 0;
  }
  const auto end =
      std::remove_if(slices_.begin(), slices_.end(), [&](const TraceSlice& slice) { return !keeps(slice.begin_s); });
  dropped_ += static_cast<u64>(slices_.end() - end);
  slices_.erase(end, slices_.end());
  bytes_ = 0;
  for (const TraceSlice& slice : slices_) bytes_ += slice.bytes;
}

std::vector<std::pair<double, double>> ThinnedSlices::stretches() const {
  std::vector<std::pair<double, double>> result;
  for (u64 i = 0; i < stretch_count(); ++i) {
    const double begin = static_cast<double>(i) * period_s_;
    result.emplace_back(begin, begin + kept_s_);
  }
  return result;
}

}  // namespace bvp
