// SPDX-License-Identifier: Apache-2.0
// Records when the amounts of counters take place. A counter says how much. A model that counts a firing when it
// begins, a burst when it is issued, or a transfer when it has progressed, also says from when to when the amount takes
// place. Windows of time add these amounts up.
#pragma once

#include <deque>
#include <vector>

#include "models/base/types.h"

namespace bvp {

class ActivityProfile;

/// A table of amounts. Rows are windows of time, equally long and one after the other from time 0 on; columns are
/// figures, whose meaning the owner of the table knows. One window is open: an amount that is counted without times
/// belongs to it. Times are in ps.
class ActivityWindows {
 public:
  ActivityWindows(u64 length_ps, std::size_t figures) : length_ps_(length_ps), figures_(figures) {}
  ActivityWindows(const ActivityWindows&) = delete;
  ActivityWindows& operator=(const ActivityWindows&) = delete;

  [[nodiscard]] u64 length_ps() const { return length_ps_; }
  /// The open window.
  [[nodiscard]] u64 open() const { return open_; }
  /// Closes windows until the one with the number `window` is open.
  void open(u64 window);

  /// Adds to the open window; `amount` may be negative.
  void add(std::size_t figure, i64 amount) { row(open_)[figure] += amount; }
  /// Adds `amount` to the windows that [begin_ps, end_ps) touches, to each in proportion to the time that lies in it,
  /// and subtracts the same amount from the window that contains `counted_ps`. The parts are integers and add up to
  /// `amount`. If the interval has no length, the window that contains `begin_ps` gets all.
  void place(std::size_t figure, u64 amount, u64 counted_ps, u64 begin_ps, u64 end_ps);

  /// Removes the row of the oldest window. Amounts that are still to be added to that window go to the next one.
  [[nodiscard]] std::vector<i64> take_oldest();
  /// The number of the oldest window.
  [[nodiscard]] u64 oldest() const { return oldest_; }
  /// One more than the number of the newest window that has a row.
  [[nodiscard]] u64 end() const { return oldest_ + rows_.size(); }
  /// Amounts of a window from oldest() on.
  [[nodiscard]] std::vector<i64>& row(u64 window);

 private:
  friend class ActivityProfile;
  [[nodiscard]] u64 window_of(u64 time_ps) const { return time_ps / length_ps_; }

  const u64 length_ps_;
  const std::size_t figures_;
  std::deque<std::vector<i64>> rows_;
  u64 oldest_ = 0, open_ = 0;
  std::vector<ActivityProfile*> profiles_;
};

/// Receives the amounts of the counters of one figure. Their times are cycles of one clock, whose period is given.
class ActivityProfile {
 public:
  /// `windows` must outlive the profile.
  ActivityProfile(ActivityWindows& windows, std::size_t figure, u64 period_ps);
  ~ActivityProfile();
  ActivityProfile(const ActivityProfile&) = delete;
  ActivityProfile& operator=(const ActivityProfile&) = delete;

  /// `amount` has been counted now and takes place over [begin, end), which may lie before or after the present.
  void place(u64 amount, Cycle begin, Cycle end) {
    if (begin >= open_begin_ && end <= open_end_) return;
    windows_.place(figure_, amount, windows_.open_ * windows_.length_ps_, begin * period_ps_, end * period_ps_);
  }
  /// `amount` was counted before with `then` as its time, and is now known to take place over [begin, end).
  void move(u64 amount, Cycle then, Cycle begin, Cycle end) {
    windows_.place(figure_, amount, then * period_ps_, begin * period_ps_, end * period_ps_);
  }

 private:
  friend class ActivityWindows;
  void find_open_cycles();

  ActivityWindows& windows_;
  const std::size_t figure_;
  const u64 period_ps_;
  Cycle open_begin_ = 0, open_end_ = 0;  // cycles that lie wholly in the open window
};

}  // namespace bvp
