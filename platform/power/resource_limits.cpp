// SPDX-License-Identifier: Apache-2.0
#include "platform/power/resource_limits.h"

#include <algorithm>
#include <cmath>

namespace bvp {

namespace {

__extension__ using Product = __int128;

i64 sum_of(const ResourceLimit& limit, const std::vector<i64>& amounts) {
  i64 sum = 0;
  for (const std::size_t figure : limit.figures) sum += amounts[figure];
  return sum;
}

i64 most_in(const ResourceLimit& limit, double seconds) {
  return static_cast<i64>(std::ceil(limit.per_second * seconds));
}

}  // namespace

void ResourceLimits::move(const ResourceLimit& limit, i64 amount, std::vector<i64>& from, std::vector<i64>& to) {
  i64 sum = sum_of(limit, from);
  for (const std::size_t figure : limit.figures) {
    if (sum == 0) return;
    const auto part = static_cast<i64>(Product{amount} * from[figure] / sum);
    sum -= from[figure];
    amount -= part;
    from[figure] -= part;
    to[figure] += part;
  }
}

void ResourceLimits::apply(std::vector<i64>& amounts, double seconds) {
  for (std::size_t i = 0; i < amounts.size(); ++i) amounts[i] += std::exchange(kept_[i], 0);
  for (std::size_t i = 0; i < limits_.size(); ++i) {
    const i64 excess = sum_of(limits_[i], amounts) - most_in(limits_[i], seconds);
    if (excess <= 0) continue;
    move(limits_[i], excess, amounts, kept_);
    moved_[i] += static_cast<u64>(excess);
  }
}

void ResourceLimits::give_back(std::vector<std::vector<i64>>& windows, double seconds, double last_seconds) {
  for (const ResourceLimit& limit : limits_) {
    for (std::size_t i = windows.size(); i-- > 0;) {
      const i64 kept = sum_of(limit, kept_);
      const i64 room = most_in(limit, i + 1 == windows.size() ? last_seconds : seconds) - sum_of(limit, windows[i]);
      move(limit, i == 0 ? kept : std::clamp<i64>(room, 0, kept), kept_, windows[i]);
    }
  }
}

}  // namespace bvp
