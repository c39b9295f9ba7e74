// SPDX-License-Identifier: Apache-2.0
// A link of the mesh and the buffer at its end: which cycles are taken.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "models/common/types.h"

namespace bvp {

/// The link carries one vector a cycle, or one in several. A vector sent in cycle s that leaves the buffer in cycle l
/// holds an entry of it in all cycles from s to l: the credit of an entry comes back in the cycle after it was left.
/// Like SlotCalendar, reservations fill gaps before later ones, and cycles before the remembered window count as taken.
class LinkCalendar {
 public:
  static constexpr u64 default_window = 16384;

  /// @param entries  of the buffer
  /// @param window   cycles remembered, a power of two of at least 64
  explicit LinkCalendar(u32 entries, u64 window = default_window)
      : stride_(entries + 1), mask_(window / 64 - 1), words_(window / 64 * stride_, 0) {}

  /// The first cycle at or after `earliest` in which the link and an entry are free; changes nothing.
  [[nodiscard]] Cycle probe(Cycle earliest) const {
    if (earliest / 64 < base_) earliest = base_ * 64;
    Cycle word = earliest / 64;
    u64 taken = taken_at(word) | ((u64{1} << (earliest % 64)) - 1);
    while (taken == ~u64{0}) taken = taken_at(++word);
    return word * 64 + static_cast<Cycle>(__builtin_ctzll(~taken));
  }

  /// The last cycle from `first` to `last` in which every entry is held, or nothing.
  [[nodiscard]] std::optional<Cycle> last_full(Cycle first, Cycle last) const {
    for (Cycle word = last / 64;; --word) {
      const u64 full = full_at(word) & span(word, first, last);
      if (full != 0) return word * 64 + 63 - static_cast<Cycle>(__builtin_clzll(full));
      if (word == first / 64) return std::nullopt;
    }
  }

  /// The first cycle at or after `earliest` from which on the link and an entry are free for `cycles` cycles.
  [[nodiscard]] Cycle probe(Cycle earliest, Cycle cycles) const {
    Cycle first = probe(earliest);
    for (Cycle free = 1; free < cycles;) {
      const Cycle next = probe(first + free);
      free = next == first + free ? free + 1 : 1;
      if (free == 1) first = next;
    }
    return first;
  }

  /// Sends a vector in `cycles` cycles from `sent` on, which probe() gave, that has left the buffer in cycle `left`.
  void reserve(Cycle sent, Cycle left, Cycle cycles = 1) {
    const Cycle last = left / 64;
    if (last >= end_) extend(last + 1);
    for (Cycle word = std::max(sent / 64, base_); word <= last; ++word) hold(word, span(word, sent, left));
    const Cycle last_sent = sent + cycles - 1;
    for (Cycle word = std::max(sent / 64, base_); word <= last_sent / 64; ++word) {
      record(word)[0] |= span(word, sent, last_sent);
    }
  }

  /// Of `count` vectors sent in consecutive cycles from `first` on, each of which leaves the buffer `stay` cycles after
  /// it was sent, how many go through as they are. May say too few, then place them one by one.
  [[nodiscard]] Cycle stream_length(Cycle first, Cycle count, Cycle stay) const {
    if (first / 64 < base_ || stay + 1 >= stride_) return 0;
    count = std::min(count, longest_stream);
    count = find(0, first, first + count - 1).value_or(first + count) - first;
    // The stream holds more than `depth` entries from `depth` cycles after its begin to as many before its end.
    for (Cycle depth = 0; depth <= stay && depth < count; ++depth) {
      if (const auto full = find(stride_ - 1 - depth, first + depth, first + count - 1 + stay - depth)) {
        count = *full + depth > first + stay ? *full + depth - first - stay : 0;
      }
    }
    return count;
  }

  /// Sends a stream of a length that stream_length() gave.
  void reserve_stream(Cycle first, Cycle count, Cycle stay) {
    const Cycle last = (first + count - 1 + stay) / 64;
    if (last >= end_) extend(last + 1);
    for (Cycle word = std::max(first / 64, base_); word <= (first + count - 1) / 64; ++word) {
      record(word)[0] |= span(word, first, first + count - 1);
    }
    for (Cycle depth = 0; depth <= stay && depth < count; ++depth) {
      const Cycle begin = first + depth, end = first + count - 1 + stay - depth;
      if (begin > end) break;
      for (Cycle word = std::max(begin / 64, base_); word <= end / 64; ++word) hold(word, span(word, begin, end));
    }
  }

 private:
  static constexpr Cycle longest_stream = 1024;  // well within the window

  /// The first cycle from `first` to `last` whose bit is set in the given word of the records.
  [[nodiscard]] std::optional<Cycle> find(u64 index, Cycle first, Cycle last) const {
    for (Cycle word = first / 64; word <= last / 64 && word < end_; ++word) {
      const u64 set = record(word)[index] & span(word, first, last);
      if (set != 0) return word * 64 + static_cast<Cycle>(__builtin_ctzll(set));
    }
    return std::nullopt;
  }

  // A record of 64 cycles: the cycles in which the link is taken, then those in which at least 1, 2, ... entries are.
  [[nodiscard]] const u64* record(Cycle word) const { return &words_[(word & mask_) * stride_]; }
  [[nodiscard]] u64* record(Cycle word) { return &words_[(word & mask_) * stride_]; }
  [[nodiscard]] u64 full_at(Cycle word) const { return word < end_ ? record(word)[stride_ - 1] : 0; }
  [[nodiscard]] u64 taken_at(Cycle word) const { return word < end_ ? record(word)[0] | record(word)[stride_ - 1] : 0; }
  [[nodiscard]] static u64 span(Cycle word, Cycle first, Cycle last) {
    u64 cycles = ~u64{0};
    if (word == first / 64) cycles &= ~u64{0} << (first % 64);
    if (word == last / 64) cycles &= ~u64{0} >> (63 - last % 64);
    return cycles;
  }
  void hold(Cycle word, u64 cycles) {
    u64* const levels = record(word) + 1;
    for (u64 level = 0; cycles != 0 && level + 1 < stride_; ++level) {
      const u64 held = levels[level];
      levels[level] |= cycles;
      cycles &= held;
    }
  }
  void extend(Cycle end) {
    const Cycle size = mask_ + 1;
    const Cycle first = end > end_ + size ? end - size : end_;
    for (Cycle word = first; word < end; ++word) std::fill_n(record(word), stride_, 0);
    end_ = end;
    if (end_ - base_ > size) base_ = end_ - size;
  }

  u64 stride_, mask_;
  std::vector<u64> words_;
  Cycle base_ = 0;  // first record remembered
  Cycle end_ = 0;   // one past the last record remembered
};

}  // namespace bvp
