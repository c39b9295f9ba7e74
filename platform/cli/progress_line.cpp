// SPDX-License-Identifier: Apache-2.0
#include "platform/cli/progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "platform/cli/commands.h"
#include "platform/cli/terminal.h"
#include "platform/support/text_table.h"

namespace bvp {
namespace {

constexpr std::chrono::milliseconds rewrite_interval{100}, first_line_after{2000}, line_interval{5000};
constexpr std::chrono::milliseconds open_line_limit{3000};

std::string stage_text(RunProgress::Stage stage) {
  return stage == RunProgress::Stage::preparing ? "reading and planning" : "verifying the results";
}

}  // namespace

void TimeLeft::note(double seconds, double done) {
  if (done < done_) {
    seconds_ = seconds;
    done_ = done;
  }
  constexpr double least = 0.02;  // seconds between two updates of the estimate
  const double passed = seconds - seconds_;
  if (passed < least) return;
  // The past counts for a third of the whole time, so that the estimate neither jumps nor lags.
  const double memory = std::max(1.0, seconds / 3);
  const double weight = rate_ == 0 ? 1 : 1 - std::exp(-passed / memory);
  rate_ += weight * ((done - done_) / passed - rate_);
  seconds_ = seconds;
  done_ = done;
}

double TimeLeft::seconds() const {
  constexpr double least_done = 0.005;
  return rate_ > 0 && done_ >= least_done ? (1 - done_) / rate_ : -1;
}

std::string duration_text(double seconds) {
  if (seconds < 99.5) return fmt::format("{:.0f} s", seconds);
  if (seconds < 99.5 * 60) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

std::string progress_text(const RunProgress& progress, double seconds_left, std::size_t width) {
  if (progress.stage != RunProgress::Stage::simulating) {
    return cut_in_middle({stage_text(progress.stage)}, width).front();
  }
  std::string text;
  const auto add = [&](const std::string& part) {
    const std::string joined = text.empty() ? part : text + ", " + part;
    if (joined.size() <= width) text = joined;
  };
  const std::string simulated = fmt::format("{:.3f} ms simulated", 1e3 * progress.simulated_s);
  if (!progress.task.empty()) {
    add(fmt::format("{:3.0f} %", std::floor(100 * std::clamp(progress.done, 0.0, 1.0))));
    if (seconds_left >= 0) add(duration_text(seconds_left) + " left");
    const std::string task = fmt::format("task {}/{}", progress.task_index + 1, progress.task_count);
    // A complete name is worth more than the simulated time.
    constexpr std::size_t least_name = 12;
    const std::size_t others = text.size() + 2 + task.size() + 1;
    if (others + std::min(least_name, progress.task.size()) <= width) {
      add(task + " " + cut_in_middle({progress.task}, width - others).front());
    } else {
      add(task);
    }
  }
  add(simulated);
  return text;
}

ProgressLine::ProgressLine(bool enabled)
    : enabled_(enabled),
      rewrites_(can_rewrite_lines(STDERR_FILENO)),
      begin_(Clock::now()),
      next_(rewrites_ ? begin_ : begin_ + first_line_after) {}

void ProgressLine::show(const RunProgress& progress) {
  const auto now = Clock::now();
  if (progress.stage != stage_) {
    stage_ = progress.stage;
    begin_ = now;
    left_ = {};
    if (rewrites_) next_ = now;
  }
  if (!enabled_ || now < next_) return;
  if (line_open_ && now < opened_ + open_line_limit) return;
  next_ = now + (rewrites_ ? rewrite_interval : line_interval);
  if (line_open_) say("\n");
  line_open_ = false;
  left_.note(std::chrono::duration<double>(now - begin_).count(), progress.done);
  if (rewrites_) {
    // Some terminals begin a new line after the last column.
    const std::size_t width = terminal_width(STDERR_FILENO);
    say("\r\x1b[K" + progress_text(progress, left_.seconds(), width - 1));
  } else {
    constexpr std::size_t unlimited = 1000;
    say(progress_text(progress, left_.seconds(), unlimited) + "\n");
  }
  visible_ = rewrites_;
}

void ProgressLine::printed(bool line_open) {
  line_open_ = line_open;
  if (line_open) opened_ = Clock::now();
}

void ProgressLine::clear() {
  if (visible_) say("\r\x1b[K");
  visible_ = false;
}

}  // namespace bvp
