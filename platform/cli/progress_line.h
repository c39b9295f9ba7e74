// SPDX-License-Identifier: Apache-2.0
// How far a run is, on the standard error.
#pragma once

#include <chrono>
#include <string>

#include "platform/run/run.h"

namespace bvp {

/// The host time that is left, from how much of the work was done when.
class TimeLeft {
 public:
  /// @param seconds  since the work began; @param done  0 to 1. Neither falls, unless work begins anew.
  void note(double seconds, double done);
  /// In seconds; below 0: not known yet.
  [[nodiscard]] double seconds() const;

 private:
  double seconds_ = 0, done_ = 0;
  double rate_ = 0;  // share of the work per second, of the recent past more than of the beginning
};

/// "7 s", "3 min", "2.1 h"
[[nodiscard]] std::string duration_text(double seconds);

/// As much of it as `width` columns have room for, in the order of its worth: per cent, time left, task, simulated
/// time.
/// @param seconds_left  below 0: not known
[[nodiscard]] std::string progress_text(const RunProgress& progress, double seconds_left, std::size_t width);

/// One line that is written again and again where the standard error is a terminal that can do that, and never wider
/// than it; otherwise a line every few seconds, without control characters.
class ProgressLine {
 public:
  explicit ProgressLine(bool enabled);
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const RunProgress& progress);
  /// Makes room for other output on the terminal.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  bool enabled_, rewrites_;
  bool visible_ = false;
  RunProgress::Stage stage_ = RunProgress::Stage::preparing;
  Clock::time_point begin_;  // of the stage
  Clock::time_point next_;   // not before that another line
  TimeLeft left_;
};

}  // namespace bvp
