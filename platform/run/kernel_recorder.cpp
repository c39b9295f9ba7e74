// SPDX-License-Identifier: Apache-2.0
#include "platform/run/kernel_recorder.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "models/abi/records.h"
#include "platform/power/soc_estimators.h"

namespace bvp {

u64 KernelRecorder::UnitCycles::total() const {
  u64 sum = issue + special + stall;
  for (const u64 wait : waits) sum += wait;
  return sum;
}

KernelRecorder::UnitCycles& KernelRecorder::UnitCycles::operator+=(const UnitCycles& other) {
  issue += other.issue;
  special += other.special;
  stall += other.stall;
  for (std::size_t i = 0; i < wait_count; ++i) waits[i] += other.waits[i];
  return *this;
}

KernelRecorder::KernelRecorder(Soc& soc, const CompiledNetwork& network)
    : soc_(soc), tags_(network.tasks.size()), sampler_(attach_estimators(soc)) {
  for (const KernelInfo& kernel : network.kernels) by_step_[kernel.step] = &kernel;
  for (const PeStatus* pe : soc.cores) {
    auto& units = unit_counters_.emplace_back();
    for (std::size_t unit = 0; unit < unit_count; ++unit) {
      const StatGroup& group = pe->statistics().child(unit_names[unit]);
      units[unit][0] = &group.counter("issue");
      units[unit][1] = &group.counter("special");
      units[unit][2] = &group.counter("stall");
      for (std::size_t wait = 0; wait < wait_count; ++wait) {
        units[unit][3 + wait] = &group.counter(std::string("wait_") + wait_names[wait]);
      }
    }
    operation_counters_.push_back(&pe->statistics().counter("operations"));
  }
  last_ = sample();
}

KernelRecorder::Sample KernelRecorder::sample() {
  soc_.settle_statistics();
  Sample sample;
  sample.cycle = soc_.clock().now();
  for (const auto& units : unit_counters_) {
    for (std::size_t unit = 0; unit < unit_count; ++unit) {
      UnitCycles& sum = sample.units[unit];
      sum.issue += units[unit][0]->value();
      sum.special += units[unit][1]->value();
      sum.stall += units[unit][2]->value();
      for (std::size_t wait = 0; wait < wait_count; ++wait) sum.waits[wait] += units[unit][3 + wait]->value();
    }
  }
  for (const Counter* counter : operation_counters_) sample.operations += counter->value();
  sample.dram_read = soc_.dram.statistics().bytes_read.value();
  sample.dram_written = soc_.dram.statistics().bytes_written.value();
  sample.actions = sampler_.sample();
  return sample;
}

KernelRecorder::Totals KernelRecorder::advance(u64 kernel_cycles) {
  Sample now = sample();
  Totals part;
  part.cycles = kernel_cycles;
  part.booked_cycles = now.cycle - last_.cycle;
  part.operations = now.operations - last_.operations;
  part.dram_read = now.dram_read - last_.dram_read;
  part.dram_written = now.dram_written - last_.dram_written;
  for (std::size_t unit = 0; unit < unit_count; ++unit) {
    UnitCycles& difference = part.units[unit];
    difference.issue = now.units[unit].issue - last_.units[unit].issue;
    difference.special = now.units[unit].special - last_.units[unit].special;
    difference.stall = now.units[unit].stall - last_.units[unit].stall;
    for (std::size_t wait = 0; wait < wait_count; ++wait) {
      difference.waits[wait] = now.units[unit].waits[wait] - last_.units[unit].waits[wait];
    }
  }
  part.actions.resize(now.actions.size());
  std::transform(now.actions.begin(), now.actions.end(), last_.actions.begin(), part.actions.begin(), std::minus<>());
  last_ = std::move(now);
  return part;
}

void KernelRecorder::add(Totals& sum, const Totals& part) {
  sum.cycles += part.cycles;
  sum.booked_cycles += part.booked_cycles;
  sum.launches += part.launches;
  sum.operations += part.operations;
  sum.dram_read += part.dram_read;
  sum.dram_written += part.dram_written;
  for (std::size_t unit = 0; unit < unit_count; ++unit) sum.units[unit] += part.units[unit];
  sum.add_actions(part);
}

KernelRecorder::Totals KernelRecorder::Totals::between(u64 begin, u64 end, u64 all) const {
  __extension__ using Product = unsigned __int128;
  // Each end is rounded down before the difference is taken, so that the parts add up to the whole.
  const auto part = [&](u64 sum) {
    return static_cast<u64>(Product{sum} * end / all) - static_cast<u64>(Product{sum} * begin / all);
  };
  Totals totals;
  totals.cycles = part(cycles);
  totals.booked_cycles = part(booked_cycles);
  totals.operations = part(operations);
  totals.dram_read = part(dram_read);
  totals.dram_written = part(dram_written);
  for (std::size_t unit = 0; unit < unit_count; ++unit) {
    totals.units[unit].issue = part(units[unit].issue);
    totals.units[unit].special = part(units[unit].special);
    totals.units[unit].stall = part(units[unit].stall);
    for (std::size_t wait = 0; wait < wait_count; ++wait)
      totals.units[unit].waits[wait] = part(units[unit].waits[wait]);
  }
  totals.actions.resize(actions.size());
  std::transform(actions.begin(), actions.end(), totals.actions.begin(), part);
  return totals;
}

void KernelRecorder::Totals::add_actions(const Totals& other) {
  actions.resize(other.actions.size(), 0);
  std::transform(actions.begin(), actions.end(), other.actions.begin(), actions.begin(), std::plus<>());
}

ActionCounts KernelRecorder::counts(const Totals& totals) const {
  return sampler_.between(std::vector<u64>(totals.actions.size(), 0), totals.actions);
}

void KernelRecorder::command_started(const Command&, Cycle) {}

void KernelRecorder::kernel_launched(const Command&, const LaunchPhases&, Cycle cycle) {
  if (launched_++ == 0) group_begin_ = cycle;
}

void KernelRecorder::kernel_failed(const Command&, Cycle cycle) {
  if (launched_ != 0 && --launched_ == 0) close_group(cycle);
}

void KernelRecorder::command_completed(const Command& command, Cycle cycle) {
  if (command.tag == network_tag_end) ++inferences_;
  const std::optional<TaskStep> step = tags_.read(command.tag);
  if (command.opcode != static_cast<u8>(CommandOpcode::launch) || launched_ == 0) return;
  --launched_;
  const auto kernel = step ? by_step_.find(*step) : by_step_.end();
  if (kernel != by_step_.end()) {
    u64 iterations = 1;
    for (const u32 count : command.counts) iterations *= count;
    const auto completed = std::find_if(group_.begin(), group_.end(),
                                        [&](const Completed& each) { return each.kernel == kernel->second; });
    if (completed == group_.end()) {
      group_.push_back({kernel->second, 1, iterations});
    } else {
      ++completed->launches;
      completed->iterations += iterations;
    }
  }
  if (launched_ == 0) close_group(cycle);
}

void KernelRecorder::close_group(Cycle cycle) {
  if (group_.empty()) return;
  const Totals whole = advance(cycle - group_begin_);
  u64 iterations = 0, before = 0;
  for (const Completed& completed : group_) iterations += completed.iterations;
  for (const Completed& completed : group_) {
    Totals part = whole.between(before, before + completed.iterations, iterations);
    before += completed.iterations;
    part.launches = completed.launches;
    const auto [row, fresh] = kernel_rows_.try_emplace(completed.kernel->name, kernels_.size());
    if (fresh) kernels_.push_back({completed.kernel->name, {}});
    add(kernels_[row->second].second, part);
    last_layer_ = completed.kernel->layer;
    part.cycles = part.booked_cycles;
    add(layers_[last_layer_], part);
  }
  group_.clear();
}

void KernelRecorder::finish() {
  close_group(soc_.clock().now());
  rest_ = advance(0);
  Totals part = rest_;
  part.cycles = part.booked_cycles;
  // Firmware that has run no kernel of the network has worked for none of its layers.
  add(layers_[kernels_.empty() ? layer_none : last_layer_], part);
}

}  // namespace bvp
