// SPDX-License-Identifier: Apache-2.0
// Records which cycles of one resource (a bank port, a link, a bus) are taken.
#pragma once

#include <vector>

#include "models/base/types.h"

namespace bvp {

/// A resource that serves one request per cycle. A request gets the first free cycle at or after the cycle asked for,
/// which may lie in a gap before later reservations; so callers need not reserve in time order. Cycles more than
/// `window` before the latest reservation are forgotten and count as taken.
class SlotCalendar {
 public:
  /// @param window  cycles remembered, a power of two of at least 64
  explicit SlotCalendar(u64 window = 16384) : words_(window / 64, 0), mask_(window / 64 - 1) {}

  /// The first free cycle at or after `earliest`; changes nothing.
  [[nodiscard]] Cycle probe(Cycle earliest) const {
    Cycle word = earliest / 64;
    if (word < base_) {
      word = base_;
      earliest = base_ * 64;
    }
    u64 taken = word < end_ ? words_[word & mask_] : 0;
    taken |= (u64{1} << (earliest % 64)) - 1;
    while (taken == ~u64{0}) {
      ++word;
      taken = word < end_ ? words_[word & mask_] : 0;
    }
    return word * 64 + static_cast<Cycle>(__builtin_ctzll(~taken));
  }

  /// Takes the first free cycle at or after `earliest` and returns it.
  Cycle reserve(Cycle earliest) {
    const Cycle cycle = probe(earliest);
    const Cycle word = cycle / 64;
    if (word >= end_) extend(word + 1);
    words_[word & mask_] |= u64{1} << (cycle % 64);
    return cycle;
  }

 private:
  void extend(Cycle end) {
    const Cycle size = mask_ + 1;
    const Cycle first = end > end_ + size ? end - size : end_;
    for (Cycle word = first; word < end; ++word) words_[word & mask_] = 0;
    end_ = end;
    if (end_ - base_ > size) base_ = end_ - size;
  }

  std::vector<u64> words_;
  u64 mask_;
  Cycle base_ = 0;  // first word remembered
  Cycle end_ = 0;   // one past the last word remembered
};

}  // namespace bvp
