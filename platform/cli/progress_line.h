// SPDX-License-Identifier: Apache-2.0
// Shows on the standard error how far a run is.
#pragma once

#include <chrono>
#include <string>

#include "platform/run/run.h"

namespace bvp {

/// Estimates the remaining host time from the times at which parts of the work were done.
class TimeLeft {
 public:
  /// @param seconds  since the work began; @param done  0 to 1. Both only grow, unless the work begins anew.
  void note(double seconds, double done);
  /// Remaining seconds; below 0: not known yet.
  [[nodiscard]] double seconds() const;

 private:
  double seconds_ = 0, done_ = 0;
  double rate_ = 0;  // share of the work per second; the recent past counts more than the beginning
};

/// "7 s", "3 min", "2.1 h"
[[nodiscard]] std::string duration_text(double seconds);

/// As many items as fit into `width` columns, the most important first: per cent, time left, task, simulated time.
/// @param seconds_left  below 0: not known
[[nodiscard]] std::string progress_text(const RunProgress& progress, double seconds_left, std::size_t width);

/// On a terminal that can erase a line: one line that is rewritten and never wider than the terminal. Otherwise: a new
/// line every few seconds, without control characters.
class ProgressLine {
 public:
  explicit ProgressLine(bool enabled);
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const RunProgress& progress);
  /// Clears the line, so that other output can be printed on the terminal.
  void clear();
  /// Other output has been printed. Where it has left its line open, the progress waits for the end of that line, at
  /// most some seconds, because it would overwrite what stands there.
  void printed(bool line_open);

 private:
  using Clock = std::chrono::steady_clock;

  bool enabled_, rewrites_;
  bool visible_ = false, line_open_ = false;
  RunProgress::Stage stage_ = RunProgress::Stage::preparing;
  Clock::time_point begin_;   // of the stage
  Clock::time_point next_;    // not before that another line
  Clock::time_point opened_;  // when the open line was printed on
  TimeLeft left_;
};

}  // namespace bvp
