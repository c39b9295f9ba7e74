// SPDX-License-Identifier: Apache-2.0
#include "models/pe/account/pe_account.h"

#include <algorithm>

namespace bvp {

namespace {

constexpr std::array<const char*, wait_count> wait_descriptions{
    "cycles without a segment to run: operands were still being loaded",
    "cycles without a segment to run: operands were still being computed",
    "cycles without a segment to run: vectors or tokens of other PEs were on their way",
    "cycles without a segment to run: the space for its results was not free",
    "cycles from the arrival of a launch to the first segment",
    "cycles from the unit's last segment to the end of the launch on this PE",
    "cycles without a launch"};

constexpr std::array<const char*, unit_count> stall_descriptions{
    "cycles busy without issue: vectors waited for scratchpad banks",
    "cycles busy without issue: an operand was still in a pipeline of the unit, or its bank had no port left",
    "cycles busy without issue: vectors waited for operand banks, mesh links or credits",
    "cycles busy without issue: vectors waited for operand banks or scratchpad banks"};

}  // namespace

PeAccount::UnitCounters::UnitCounters(StatGroup& parent, const char* name, const char* stall_description)
    : group(name),
      instructions(&group, "instructions", "instructions", "instructions issued"),
      issue(&group, "issue", "cycles", "cycles in which an instruction was issued"),
      special(&group, "special", "cycles", "further cycles of instructions on the special function unit"),
      stall(&group, "stall", "cycles", stall_description) {
  for (std::size_t i = 0; i < wait_count; ++i) {
    waits.push_back(
        std::make_unique<Counter>(&group, std::string("wait_") + wait_names[i], "cycles", wait_descriptions[i]));
  }
  parent.add(&group);
}

PeAccount::LaneCounters::LaneCounters(StatGroup* group)
    : multiplies(group, "multiply_lane", "operations", "fp16 multiplications"),
      adds(group, "add_lane", "operations", "fp16 additions and maxima"),
      fused(group, "fma_lane", "operations", "fp16 fused multiply-adds"),
      specials(group, "special_lane", "operations", "exp, erf, tanh, reciprocal, reciprocal square root"),
      wide_specials(group, "wide_special_lane", "operations", "fp32 reciprocal square roots and scalings"),
      accumulates(group, "accumulate_lane", "operations",
                  "additions and multiply-adds into fp32 accumulators, and subtractions of them"),
      shuffles(group, "shuffle_lane", "moves", "fp16 values moved among the lanes") {}

PeAccount::OperandCounters::OperandCounters(StatGroup* group)
    : reads(group, "operand_read", "vectors", "vectors read from the operand memory"),
      writes(group, "operand_write", "vectors", "vectors written to the operand memory"),
      scalar_reads(group, "scalar_read", "scalars", "scalars read from the operand memory and broadcast") {}

PeAccount::CycleCounters::CycleCounters(StatGroup* group)
    : active(group, "active_cycle", "cycles", "cycles with a kernel"),
      idle(group, "idle_cycle", "cycles", "cycles without a kernel, clocked"),
      gated(group, "gated_cycle", "cycles", "cycles without a kernel, the clock stands still"),
      retention(group, "retention_cycle", "cycles", "cycles in retention") {}

PeAccount::PeAccount(std::string name, u32 index, u32 lanes, bool clock_gating, StatGroup& parent)
    : index_(index),
      lanes_(lanes),
      clock_gating_(clock_gating),
      stats_(std::move(name)),
      firings_(&stats_, "firings", "segments", "segments run"),
      lane_counters_(&stats_),
      operations_(&stats_, "operations", "operations", "arithmetic operations, a fused multiply-add counted as two"),
      operands_(&stats_),
      instructions_(&stats_, "instruction", "instructions", "instructions fetched and issued, all units"),
      tokens_(&stats_, "token", "tokens", "dependency tokens handled"),
      configured_words_(&stats_, "configure_word", "words", "64-bit words of configuration received"),
      cycles_(&stats_) {
  for (std::size_t unit = 0; unit < unit_count; ++unit) {
    units_[unit].counters = std::make_unique<UnitCounters>(stats_, unit_names[unit], stall_descriptions[unit]);
  }
  parent.add(&stats_);
}

// ---------------------------------------------------------------- cycles of the units

void PeAccount::busy(Unit unit, u8 tag, Cycle now, const BusyCycles& cycles, u64 pes) {
  UnitAccount& account = units_[index_of(unit)];
  const Cycle end = now + cycles.sum();
  account.counters->instructions += cycles.issue * pes;
  account.counters->issue.add(cycles.issue * pes, now, end);
  account.counters->special += cycles.special * pes;
  account.counters->stall += cycles.stall * pes;
  instructions_.add(cycles.issue * pes, now, end);
  account.until = end;
  account.tag = tag;
  if (unit_busy.connected()) unit_busy({index_, unit, tag, now, end});
}

void PeAccount::stall_until(Unit unit, Cycle end) {
  UnitAccount& account = units_[index_of(unit)];
  if (end <= account.until) return;
  account.counters->stall += end - account.until;
  if (unit_busy.connected()) unit_busy({index_, unit, account.tag, account.until, end});
  account.until = end;
}

void PeAccount::wait_until(Unit unit, Cycle now, Wait reason) {
  UnitAccount& account = units_[index_of(unit)];
  if (account.beyond) stall_until(unit, now);
  if (now <= account.until) return;
  count_wait(unit, reason, now - account.until);
  account.until = now;
}

void PeAccount::rest_until(Cycle now, Wait reason) {
  for (std::size_t unit = 0; unit < unit_count; ++unit) wait_until(static_cast<Unit>(unit), now, reason);
}

// ---------------------------------------------------------------- what firings do

void PeAccount::count_cal(const CalSchedule& schedule, u64 firings, CycleSpan when) {
  const u64 lanes = lanes_ * firings;
  const auto add = [&](Counter& counter, u64 amount) { counter.add(amount, when.begin, when.end); };
  add(lane_counters_.multiplies, schedule.multiplies * lanes);
  add(lane_counters_.adds, schedule.adds * lanes);
  add(lane_counters_.fused, schedule.fused * lanes);
  add(lane_counters_.specials, schedule.specials * lanes);
  add(lane_counters_.wide_specials, schedule.wide_specials * lanes);
  add(lane_counters_.accumulates, schedule.accumulates * lanes);
  add(lane_counters_.shuffles, schedule.shuffles * lanes);
  operations_ += schedule.operations * lanes;
  add(operands_.reads, schedule.vector_reads * firings);
  add(operands_.writes, schedule.vector_writes * firings);
  add(operands_.scalar_reads, schedule.scalar_reads * firings);
}

void PeAccount::count_configuration(u64 words, u64 receivers, Cycle now) {
  configured_words_.add(words * receivers, now - std::min(now, words), now);
}

// ---------------------------------------------------------------- the PE as a whole

void PeAccount::book_cycles(Cycle now, u64 pes, u64 active) {
  if (now <= cycles_.booked) return;
  const u64 cycles = (now - cycles_.booked) * pes;
  if (power_ != ArrayPower::on) {
    (power_ == ArrayPower::retention ? cycles_.retention : cycles_.gated).add(cycles, cycles_.booked, now);
  } else {
    cycles_.active.add(active, cycles_.booked, now);
    (clock_gating_ ? cycles_.gated : cycles_.idle).add(cycles - active, cycles_.booked, now);
  }
  cycles_.booked = now;
}

}  // namespace bvp
