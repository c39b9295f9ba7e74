// SPDX-License-Identifier: Apache-2.0
#include "models/base/activity.h"

#include <algorithm>
#include <utility>

namespace bvp {

namespace {

__extension__ using Product = unsigned __int128;

}  // namespace

std::vector<i64>& ActivityWindows::row(u64 window) {
  const u64 position = window < oldest_ ? 0 : window - oldest_;
  while (position >= rows_.size()) rows_.emplace_back(figures_, 0);
  return rows_[position];
}

void ActivityWindows::open(u64 window) {
  if (window == open_) return;
  open_ = window;
  for (ActivityProfile* const profile : profiles_) profile->find_open_cycles();
}

void ActivityWindows::place(std::size_t figure, u64 amount, u64 counted_ps, u64 begin_ps, u64 end_ps) {
  row(window_of(counted_ps))[figure] -= static_cast<i64>(amount);
  const u64 first = window_of(begin_ps), last = end_ps <= begin_ps ? first : window_of(end_ps - 1);
  u64 placed = 0;
  for (u64 window = first; window < last; ++window) {
    const u64 elapsed_ps = (window + 1) * length_ps_ - begin_ps;
    const auto until_then = static_cast<u64>(Product{amount} * elapsed_ps / (end_ps - begin_ps));
    row(window)[figure] += static_cast<i64>(until_then - placed);
    placed = until_then;
  }
  row(last)[figure] += static_cast<i64>(amount - placed);
}

std::vector<i64> ActivityWindows::take_oldest() {
  std::vector<i64> amounts = std::move(row(oldest_));
  rows_.pop_front();
  ++oldest_;
  return amounts;
}

ActivityProfile::ActivityProfile(ActivityWindows& windows, std::size_t figure, u64 period_ps)
    : windows_(windows), figure_(figure), period_ps_(period_ps) {
  windows_.profiles_.push_back(this);
  find_open_cycles();
}

ActivityProfile::~ActivityProfile() {
  auto& profiles = windows_.profiles_;
  profiles.erase(std::remove(profiles.begin(), profiles.end(), this), profiles.end());
}

void ActivityProfile::find_open_cycles() {
  const u64 begin_ps = windows_.open_ * windows_.length_ps_;
  open_begin_ = (begin_ps + period_ps_ - 1) / period_ps_;
  // The cycle at `end` itself is not included: an amount without a length that takes place at `end` belongs to the next
  // window.
  const u64 end = (begin_ps + windows_.length_ps_) / period_ps_;
  open_end_ = end - std::min<u64>(end, 1);
}

}  // namespace bvp
