// SPDX-License-Identifier: Apache-2.0
// The two things that all banks of a DRAM channel share: the data bus and the limit on activates. Callers run ahead of
// time by different amounts, so reservations do not come in the order of time. Both classes remember recent
// reservations and fill gaps between them.
#pragma once

#include <algorithm>
#include <array>

#include "models/base/types.h"
#include "models/memory/dram_timing.h"

namespace bvp {

/// The last `capacity` reservations in time order. Older ones are forgotten.
template <class T, u32 capacity>
class DramHistory {
 public:
  [[nodiscard]] const T* begin() const { return entries_.data() + first_; }
  [[nodiscard]] const T* end() const { return entries_.data() + end_; }
  [[nodiscard]] bool empty() const { return first_ == end_; }
  [[nodiscard]] bool full() const { return end_ - first_ == capacity; }
  void drop_oldest() { ++first_; }
  /// Keeps the order by T::start.
  void insert(const T& entry) {
    if (end_ == entries_.size()) {
      std::copy(begin(), end(), entries_.begin());
      end_ -= first_;
      first_ = 0;
    }
    T* place = entries_.data() + end_++;
    for (; place != begin() && place[-1].start > entry.start; --place) *place = place[-1];
    *place = entry;
  }

 private:
  // The entries are a sliding window of this buffer, so that neighbours lie side by side.
  std::array<T, std::size_t{4} * capacity> entries_{};
  u32 first_ = 0, end_ = 0;
};

/// The data bus: its accesses by the clock at which their data begin. Two accesses must be apart by the length of the
/// data, by tCCD and, where the direction changes, by the turnaround or tWTR.
class DramDataBus {
 public:
  static constexpr u32 max_groups = 8;

  explicit DramDataBus(const DramTiming& timing) {
    for (int same = 0; same < 2; ++same) {
      gap_[false][false][same] = gap_[true][true][same] = timing.ccd[same];
      gap_[false][true][same] = timing.burst + timing.turnaround;
      gap_[true][false][same] = timing.burst + timing.wtr[same] + timing.cl;
      for (int write = 0; write < 2; ++write) {
        reach_ = std::max({reach_, gap_[write][false][same], gap_[write][true][same]});
      }
    }
    for (int first = 0; first < 2; ++first) {
      for (int second = 0; second < 2; ++second) {
        const auto between = [&](int write) {
          return std::min(gap_[first][write][0], gap_[first][write][1]) +
                 std::min(gap_[write][second][0], gap_[write][second][1]);
        };
        room_[first][second] = std::min(between(false), between(true));
      }
    }
  }

  /// The first clock at or after `earliest` at which the data of an access may begin; changes nothing.
  [[nodiscard]] Cycle probe(Cycle earliest, bool write, u32 group) const {
    const Cycle ready = std::max(any_ready_[write], group_ready_[write][group]);
    if (earliest >= dense_from_ || earliest >= ready) return std::max(earliest, ready);
    return probe_gaps(std::max(earliest, forgotten_), write, group);
  }

  void take(Cycle start, bool write, u32 group) {
    if (history_.full()) {
      forgotten_ = std::max(forgotten_, history_.begin()->start + reach_);
      history_.drop_oldest();
    }
    if (history_.empty() || start >= history_.end()[-1].start + room_[history_.end()[-1].write][write]) {
      dense_from_ = start;  // The gap before this access has room for another access.
    }
    history_.insert({start, write, group});
    for (int next = 0; next < 2; ++next) {
      any_ready_[next] = std::max(any_ready_[next], start + gap_[write][next][0]);
      group_ready_[next][group] = std::max(group_ready_[next][group], start + gap_[write][next][1]);
    }
  }

 private:
  struct Burst {
    Cycle start;
    bool write;
    u32 group;
  };

  [[nodiscard]] Cycle gap(const Burst& first, bool write, u32 group) const {
    return gap_[first.write][write][first.group == group];
  }

  [[nodiscard]] Cycle probe_gaps(Cycle earliest, bool write, u32 group) const {
    const Burst* next = history_.end();
    while (next != history_.begin() && next[-1].start > earliest) --next;
    for (; next != history_.end(); ++next) {
      Cycle start = earliest;
      if (next != history_.begin()) start = std::max(start, next[-1].start + gap_[next[-1].write][write][0]);
      if (start + gap_[write][next->write][0] > next->start) continue;
      for (const Burst* burst = next; burst != history_.begin() && burst[-1].start + reach_ > start; --burst) {
        start = std::max(start, burst[-1].start + gap(burst[-1], write, group));
      }
      if (fits_before(next, start, write, group)) return start;
    }
    return std::max({earliest, any_ready_[write], group_ready_[write][group]});
  }

  /// Whether an access at `start` keeps the required distance to the later accesses, from `burst` on.
  [[nodiscard]] bool fits_before(const Burst* burst, Cycle start, bool write, u32 group) const {
    for (; burst != history_.end() && burst->start < start + reach_; ++burst) {
      if (burst->start < start + gap_[write][burst->write][burst->group == group]) return false;
    }
    return true;
  }

  Cycle gap_[2][2][2]{};  // [first is write][second is write][same group]
  Cycle room_[2][2]{};    // smallest distance between two accesses that leaves room for a third
  Cycle reach_ = 0;       // largest gap
  Cycle any_ready_[2]{}, group_ready_[2][max_groups]{};  // ready clocks after all accesses so far
  Cycle dense_from_ = 0;                                 // from here on there is no gap with room for an access
  Cycle forgotten_ = 0;                                  // no access may be placed before this clock
  DramHistory<Burst, 128> history_;
};

/// Activates of a channel: they keep tRRD, and at most four lie within tFAW.
class DramActivates {
 public:
  explicit DramActivates(const DramTiming& timing)
      : rrd_{timing.rrd[0], std::max(timing.rrd[0], timing.rrd[1])},
        longest_rrd_(rrd_[1]),
        faw_(timing.faw),
        reach_(std::max(longest_rrd_, faw_)) {}

  /// The first clock at or after `earliest` at which an activate is allowed; changes nothing. Every gap between
  /// activates is tried, because an activate that is planned for later must not keep others from activating before it.
  [[nodiscard]] Cycle probe(Cycle earliest, u32 group) const {
    Cycle start = std::max(earliest, forgotten_);
    const Activate* next = history_.end();
    while (next != history_.begin() && next[-1].start > start) --next;
    for (;; ++next) {
      start = std::max(start, first_behind(next, group));
      if (next == history_.end() ||
          (start + rrd_[next->group == group] <= next->start && fits_between(next, start, group))) {
        return start;
      }
    }
  }

  void take(Cycle start, u32 group) {
    if (history_.full()) {
      forgotten_ = std::max(forgotten_, history_.begin()->start + reach_);
      history_.drop_oldest();
    }
    history_.insert({start, group});
  }

 private:
  struct Activate {
    Cycle start;
    u32 group;
  };

  /// The first clock that keeps the required distance to the activates before `next`.
  [[nodiscard]] Cycle first_behind(const Activate* next, u32 group) const {
    Cycle start = next - history_.begin() >= 4 ? next[-4].start + faw_ : 0;
    for (const Activate* activate = next; activate != history_.begin() && activate[-1].start + longest_rrd_ > start;
         --activate) {
      start = std::max(start, activate[-1].start + rrd_[activate[-1].group == group]);
    }
    return start;
  }

  /// Whether an activate at `start` keeps the required distance to the later activates, from `next` on, and whether no
  /// five activates around it lie within tFAW. first_behind() has checked the activates before it.
  [[nodiscard]] bool fits_between(const Activate* next, Cycle start, u32 group) const {
    const auto before = static_cast<std::size_t>(next - history_.begin());
    const auto behind = static_cast<std::size_t>(history_.end() - next);
    for (const Activate* activate = next; activate != history_.end() && activate->start < start + longest_rrd_;
         ++activate) {
      if (activate->start < start + rrd_[activate->group == group]) return false;
    }
    if (behind >= 4 && next[3].start < start + faw_) return false;
    for (std::size_t i = 0; i < 3 && i < behind; ++i) {
      const std::size_t back = 3 - i;
      if (before >= back && next[i].start < next[-static_cast<std::ptrdiff_t>(back)].start + faw_) return false;
    }
    return true;
  }

  Cycle rrd_[2];  // [same group]
  Cycle longest_rrd_;
  Cycle faw_;
  Cycle reach_;
  Cycle forgotten_ = 0;
  DramHistory<Activate, 128> history_;
};

}  // namespace bvp
