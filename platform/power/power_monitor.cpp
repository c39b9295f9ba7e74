// SPDX-License-Identifier: Apache-2.0
#include "platform/power/power_monitor.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "platform/power/soc_estimators.h"
#include "platform/power/soc_limits.h"

namespace bvp {

namespace {

/// Number of windows that are kept because amounts may still be added to them. A later amount goes to the oldest one.
constexpr u64 kept_windows = 65536;

double seconds(u64 ps) { return sc_core::sc_time::from_value(ps).to_seconds(); }

}  // namespace

PowerMonitor::PowerMonitor(Soc& soc, const EnergyTable& table, const MachineSize& size, const sc_core::sc_time& window)
    : soc_(soc),
      clock_hz_(soc.clock().hertz()),
      pes_(static_cast<double>(size.pes)),
      sampler_(attach_estimators(soc)),
      prices_(table, size, sampler_),
      dram_read_(sampler_.actions().size()),
      dram_written_(dram_read_ + 1),
      issue_(dram_written_ + 1),
      figures_(issue_ + unit_count),
      windows_(window.value(), figures_),
      limits_(resource_limits(soc, sampler_, dram_read_, dram_written_), figures_) {
  trace_.components = prices_.components();
  const auto watch = [this](const Counter& counter, std::size_t figure, const sc_core::sc_time& period) {
    counter.set_profile(&profiles_.emplace_back(windows_, figure, period.value()));
    watched_.push_back(&counter);
  };
  for (const auto& [action, counter] : sampler_.sources()) {
    watch(*counter, action, clock_period(soc, sampler_.actions()[action].first));
  }
  watch(soc.dram.statistics().bytes_read, dram_read_, soc.dram.clock().period());
  watch(soc.dram.statistics().bytes_written, dram_written_, soc.dram.clock().period());
  for (const PeStatus* pe : soc.cores) {
    for (std::size_t unit = 0; unit < unit_count; ++unit) {
      watch(pe->statistics().child(unit_names[unit]).counter("issue"), issue_ + unit, soc.clock().period());
    }
  }
  sample(last_);
}

PowerMonitor::~PowerMonitor() {
  for (const Counter* counter : watched_) counter->set_profile(nullptr);
}

void PowerMonitor::sample(std::vector<u64>& values) {
  soc_.settle_statistics();
  sampler_.sample(values);
  values.push_back(soc_.dram.statistics().bytes_read.value());
  values.push_back(soc_.dram.statistics().bytes_written.value());
  values.resize(figures_, 0);
  for (const PeStatus* pe : soc_.cores) {
    for (std::size_t unit = 0; unit < unit_count; ++unit) {
      values[issue_ + unit] += pe->issue_slots(static_cast<Unit>(unit));
    }
  }
}

sc_core::sc_time PowerMonitor::time_left() const {
  return sc_core::sc_time::from_value((windows_.open() + 1) * windows_.length_ps()) - sc_core::sc_time_stamp();
}

void PowerMonitor::take() {
  sample(now_);
  for (std::size_t i = 0; i < figures_; ++i) windows_.add(i, static_cast<i64>(now_[i] - last_[i]));
  std::swap(last_, now_);
  windows_.open(sc_core::sc_time_stamp().value() / windows_.length_ps());
  while (windows_.open() - windows_.oldest() > kept_windows) {
    std::vector<i64> amounts = windows_.take_oldest();
    limits_.apply(amounts, seconds(windows_.length_ps()));
    price(windows_.oldest() - 1, windows_.oldest() * windows_.length_ps(), amounts);
  }
}

void PowerMonitor::price(u64 number, u64 end_ps, const std::vector<i64>& amounts) {
  PowerWindow window;
  window.begin_s = seconds(number * windows_.length_ps());
  window.end_s = seconds(end_ps);
  const double length_s = seconds(end_ps - number * windows_.length_ps());
  window.energy_j = prices_.energy(amounts, length_s, clock_hz_);
  window.dram_read_bytes = static_cast<u64>(amounts[dram_read_]);
  window.dram_written_bytes = static_cast<u64>(amounts[dram_written_]);
  for (std::size_t unit = 0; unit < unit_count; ++unit) {
    window.utilisation[unit] = static_cast<double>(amounts[issue_ + unit]) / (length_s * clock_hz_ * pes_);
  }
  trace_.add(std::move(window));
}

const PowerTrace& PowerMonitor::finish() {
  take();
  // The last window ends with a cycle, because the run does.
  const u64 end_ps = soc_.clock().to_time(soc_.clock().now()).value(), length_ps = windows_.length_ps();
  if (end_ps == 0) return trace_;
  const u64 first = windows_.oldest(), last = (end_ps - 1) / length_ps;
  std::vector<std::vector<i64>> all;
  while (windows_.oldest() <= last) all.push_back(windows_.take_oldest());
  // A run that is cut (by the time limit or a signal) has counted actions that would take place after its end. Their
  // energy is in the run's total and therefore in the last window. Issue slots after the end are in no window: the last
  // window has at most one per cycle.
  for (; windows_.oldest() < windows_.end(); static_cast<void>(windows_.take_oldest())) {
    const std::vector<i64>& late = windows_.row(windows_.oldest());
    std::transform(late.begin(), late.begin() + static_cast<std::ptrdiff_t>(issue_), all.back().begin(),
                   all.back().begin(), std::plus<>());
  }
  const double length_s = seconds(length_ps), last_s = seconds(end_ps - last * length_ps);
  for (std::size_t unit = 0; unit < unit_count; ++unit) {
    i64& slots = all.back()[issue_ + unit];
    slots = std::min(slots, static_cast<i64>(std::llround(last_s * clock_hz_ * pes_)));
  }
  for (std::size_t i = 0; i < all.size(); ++i) limits_.apply(all[i], i + 1 == all.size() ? last_s : length_s);
  limits_.give_back(all, length_s, last_s);
  for (std::size_t i = 0; i < all.size(); ++i) {
    price(first + i, i + 1 == all.size() ? end_ps : (first + i + 1) * length_ps, all[i]);
  }
  for (std::size_t i = 0; i < limits_.limits().size(); ++i) {
    trace_.moved[limits_.limits()[i].resource] = limits_.moved()[i];
  }
  return trace_;
}

}  // namespace bvp
