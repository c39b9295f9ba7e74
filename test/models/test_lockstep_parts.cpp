// SPDX-License-Identifier: Apache-2.0
// The parts of the array in fast mode, each alone: who takes part in a firing, what is left of a launch on each PE,
// what segments cost, the journal of a launch and its replay.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "models/pe/fast/known_kernels.h"

namespace {

using namespace bvp;

/// A kernel on so many PEs in a row, which begin at these iterations of level 0, with one segment of each scope.
Context context_of(const std::vector<u32>& starts, u32 step, u32 segments_of_scope_0 = 1) {
  Context context;
  context.program.pe_rows = 1;
  context.program.pe_columns = static_cast<u32>(starts.size());
  context.program.step = {step, 1, 1, 1};
  for (u32 i = 0; i < segments_of_scope_0 + 2; ++i) {
    SegmentProgram& segment = context.program.segments.emplace_back();
    segment.scope = static_cast<u8>(i < segments_of_scope_0 ? 0 : i - segments_of_scope_0 + 1);
  }
  for (const u32 start : starts) {
    context.pes.places.push_back(static_cast<u32>(context.pes.places.size()));
    context.pes.first.push_back({start, 0, 0, 0});
    context.pes.uniform = context.pes.uniform && start == starts.front();
    context.pes.latest[0] = std::max(context.pes.latest[0], start);
  }
  context.program.start = context.pes.first.front();
  return context;
}

TokenGraph::Launch launch_of(std::array<u32, instance_levels> counts, Cycle arrival, bool resident = false) {
  TokenGraph::Launch launch;
  launch.record.counts = counts;
  launch.arrival = arrival;
  launch.resident = resident;
  return launch;
}

}  // namespace

TEST_CASE("participants: exactly the PEs that have this iteration, and those that end with it", "[pe][lockstep]") {
  for (u32 seed = 0; seed < 200; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto below = [&](u32 limit) { return static_cast<u32>(random() % limit); };
    const u32 step = 1 + below(4);
    std::vector<u32> starts{0};
    while (starts.size() < 8) starts.push_back(below(3) == 0 ? 0 : below(2 * step));
    const Context context = context_of(starts, step);
    ParticipantFinder finder(16);
    for (int i = 0; i < 30; ++i) {
      const std::array<u32, instance_levels> counts{1 + below(9), 1 + below(3), 1, 1};
      const LaunchRecord record = launch_of(counts, 0).record;
      Firing firing;
      firing.segment = below(3);
      const unsigned scope = context.program.segments[firing.segment].scope;
      if (scope >= 1) firing.iteration[0] = below((counts[0] + step - 1) / step);
      if (scope >= 2) firing.iteration[1] = below(counts[1]);
      const Participants& found = finder.find(context, firing, record);
      std::vector<u32> pes, ending;
      u64 hops = 0;
      for (u32 pe = 0; pe < 8; ++pe) {
        const u32 at = starts[pe] + firing.iteration[0] * step;
        if (scope > 0 && at >= counts[0]) continue;
        pes.push_back(pe);
        hops += pe;
        const bool last = (scope < 1 || at + step >= counts[0]) && (scope < 2 || firing.iteration[1] + 1 == counts[1]);
        if (last) ending.push_back(pe);
      }
      CHECK(found.pes == pes);
      CHECK(found.hops == hops);
      if (!context.pes.uniform) CHECK(found.ending == ending);
    }
  }
}

TEST_CASE("launch shares: a PE is active from the arrival of a launch to its last segment, each cycle once",
          "[pe][lockstep]") {
  const Context context = context_of({0, 1, 5}, 8);
  LaunchShares shares;
  // The third PE has no iteration: its segment of scope 0 remains.
  shares.add(context, launch_of({3, 1, 1, 1}, 100));
  REQUIRE(shares.front().of_pe.size() == 3);
  CHECK(shares.front().of_pe[0].unfinished == 3);
  CHECK(shares.front().of_pe[1].unfinished == 3);
  CHECK(shares.front().of_pe[2].unfinished == 1);
  CHECK(shares.take_active(context, 100, 110) == 30);
  shares.end_segment(0, {2}, 130);
  CHECK(shares.front().end(2, 120) == 120);
  CHECK(shares.front().end(2, 200) == 130);
  CHECK(shares.front().end(0, 200) == 200);
  CHECK(shares.take_active(context, 110, 200) == 90 + 90 + 20);
  // A second launch, which keeps no weights, overlaps with the first one.
  shares.add(context, launch_of({3, 1, 1, 1}, 210, true));
  CHECK(shares.launch(1).of_pe[2].unfinished == 0);
  CHECK(shares.launch(1).of_pe[0].unfinished == 2);
  for (int i = 0; i < 3; ++i) shares.end_segment(0, {0, 1}, 240);
  CHECK(shares.take_active(context, 200, 250) == 50 + 50);
  shares.pop();
  CHECK(shares.front().arrival == 210);
  CHECK(shares.take_active(context, 250, 251) == 2);
  shares.restart(context, launch_of({3, 1, 1, 1}, 300));
  CHECK(shares.front().of_pe[2].unfinished == 1);
  shares.clear();
  CHECK(shares.take_active(context, 251, 400) == 0);
  // PEs that are all alike have no shares of their own.
  const Context uniform = context_of({0, 0}, 2);
  shares.add(uniform, launch_of({3, 1, 1, 1}, 0));
  CHECK(shares.front().of_pe.empty());
  CHECK(shares.take_active(uniform, 400, 500) == 200);
}

TEST_CASE("learned costs: four firings in two launches at most are timed", "[pe][lockstep]") {
  LearnedCosts costs(2);
  const TransferSample sample{{10, 30}, {0, 0}, 0, 1, {}};
  costs.begin_launch();
  CHECK(costs.learns(0));
  costs.begin_learning(0);
  costs.add(0, sample);
  CHECK(costs.learns(0));
  costs.begin_launch();
  CHECK(costs.learns(0));
  costs.begin_learning(0);
  costs.add(0, sample);
  costs.begin_launch();
  CHECK_FALSE(costs.learns(0));  // two launches have passed
  CHECK(costs.learns(1));        // it has not fired yet
  for (int i = 0; i < 4; ++i) {
    CHECK(costs.learns(1));
    costs.begin_learning(1);
    costs.add(1, sample);
  }
  CHECK_FALSE(costs.learns(1));
}

TEST_CASE("learned costs: the slowest PE counts in step, the least hindered one elsewhere", "[pe][lockstep]") {
  LearnedCosts costs(1);
  costs.begin_launch();
  VectorAccess::Limits limits{{{4, 9}, {16, 20}}};
  costs.add(0, {{10, 30}, {1, 2}, 3, 12, limits});
  costs.add(0, {{13, 35}, {2, 5}, 1, 11, {}});
  // The PE that is farthest stays the one with the longest way.
  CHECK(costs.farthest(0) == 3);
  CHECK(costs.limits(0)[0].cycles == 9);
  Firing first;
  first.last_of_launch = false;
  Firing later = first;
  later.iteration[0] = 4;
  CHECK(costs.in_step(first));
  CHECK_FALSE(costs.in_step(later));
  // Means of 10 and 13, and of 30 and 35, halves away from zero.
  CHECK(costs.unhindered(first, 8).issue == 12);
  CHECK(costs.unhindered(first, 8).latency == 33);
  CHECK(costs.unhindered(later, 8).issue == 8 + 2);
  CHECK(costs.unhindered(later, 8).latency == 8 - 1 + 12 + 4);
  // After an exchange the PEs are in step again, until the segment has moved its vectors.
  costs.begin_exchange();
  CHECK(costs.in_step(later));
  costs.has_moved(0);
  CHECK_FALSE(costs.in_step(later));

  // Waits for banks: the turn counts in step, the drain at the end of the launch.
  CHECK(costs.learns_bank_waits(0));
  CHECK(costs.with_waits(first, 8, {5, 100}).issue == 17);
  CHECK(costs.with_waits(first, 8, {5, 100}).latency == 38);
  CHECK(costs.with_waits(later, 8, {5, 100}).issue == 10);
  Firing last = later;
  last.last_of_launch = true;
  CHECK(costs.with_waits(last, 8, {5, 100}).latency == 100);
  CHECK(costs.with_waits(last, 8, {5, 3}).latency == 23);
  costs.add(first, {7, 50});
  CHECK(costs.learns_bank_waits(0));
  costs.add(last, {9, 60});
  CHECK_FALSE(costs.learns_bank_waits(0));
  CHECK(costs.bank_wait(0).turn == 7);
  CHECK(costs.bank_wait(0).drain == 60);
}

TEST_CASE("launch journal: a replay counts what was written, once, however it is cut", "[pe][lockstep]") {
  for (u32 seed = 0; seed < 40; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto below = [&](u32 limit) { return static_cast<u32>(random() % limit); };
    constexpr Cycle arrival = 5000;
    JournalRecorder recorder;
    LaunchJournal::Key key;
    key.counts = {4, 1, 1, 1};
    recorder.write(LaunchJournal::Packets{});  // nobody writes yet
    CHECK_FALSE(recorder.recording());
    recorder.begin(key, arrival, {{3, arrival}, {2, arrival}}, 5);
    REQUIRE(recorder.recording());
    Cycle now = arrival;
    u64 hops = 0, packets = 0, busy = 0;
    std::vector<u64> fired(5, 0);
    std::vector<Cycle> at;
    i64 lowest = 0, highest = 0;
    for (int i = 0; i < 60; ++i) {
      now += below(7);
      Firing firing;
      firing.segment = below(5);
      firing.now = now;
      firing.tokens = below(4);
      Participants active;
      active.pes.resize(1 + below(2));
      active.hops = below(9);
      StreamBases instance{};
      if (firing.segment == 2) {
        instance[1] = i64{below(1000)} - 500;
        lowest = fired[2] == 0 ? instance[1] : std::min(lowest, instance[1]);
        highest = fired[2] == 0 ? instance[1] : std::max(highest, instance[1]);
      }
      const BusyCycles cycles{1 + below(9), below(3), below(5)};
      recorder.write(firing, active, below(30), cycles, instance);
      fired[firing.segment] += active.count();
      hops += active.hops;
      busy += cycles.sum() * active.count();
      at.push_back(now);
      if (below(3) != 0) continue;
      recorder.write({now, 1 + below(2), below(3), 1 + below(5), below(8), 0});
      ++packets;
    }
    recorder.write({1}, {{0, 0}, {1, now - 3}});
    ArrayAccount::Booked booked;
    booked[1] = {now - 1, now - 2};
    recorder.write(booked);
    now += 10;
    const LaunchJournal journal = recorder.end(now, {1, 2, 3, 4}, {{7, now + 5}});
    CHECK_FALSE(recorder.recording());
    CHECK(journal.key == key);
    CHECK(journal.cycles == now - arrival);
    CHECK(journal.entries() == 60 + packets);
    CHECK(journal.late_tokens[0].at == journal.cycles + 5);
    CHECK(journal.shares[0].unfinished == 3);
    CHECK(journal.shares[0].end == 0);
    CHECK(journal.shares[1].unfinished == 1);
    CHECK(journal.shares[1].end == journal.cycles - 13);
    CHECK(journal.booked[1] == std::vector<Cycle>{journal.cycles - 11, journal.cycles - 12});
    CHECK(journal.segments[2].lowest[1] == lowest);
    CHECK(journal.segments[2].highest[1] == highest);

    constexpr Cycle again = 777777;
    LaunchReplay replay(journal, again);
    CHECK(replay.end() == again + journal.cycles);
    std::vector<u64> replayed(5, 0);
    u64 replayed_hops = 0, replayed_packets = 0, expected_packets = 0, replayed_busy = 0;
    std::size_t next = 0;
    LaunchReplay::Sums sums;
    for (Cycle until = again; until <= replay.end() + 1; until += 1 + below(40)) {
      const Cycle end = until + 40 > replay.end() ? replay.end() + 1 : until;
      replay.advance(end, sums, [&](const LaunchJournal::Entry& entry, Cycle when) {
        REQUIRE(next < at.size());
        CHECK(when == at[next++] - arrival + again);
        CHECK(when < end);
        replayed_busy += entry.busy.sum() * entry.pes;
      });
      for (u32 segment = 0; segment < 5; ++segment) {
        replayed[segment] += sums.segments[segment].firings;
        replayed_hops += sums.segments[segment].hops;
        CHECK(sums.segments[segment].when.begin <= sums.segments[segment].when.end);
      }
      for (const LaunchReplay::PacketSum& sum : sums.packets) replayed_packets += sum.packets.packets;
      // What has been counted comes in no later sum.
      replay.advance(end, sums, [&](const LaunchJournal::Entry&, Cycle) { FAIL("a firing is counted twice"); });
      CHECK(sums.packets.empty());
    }
    for (const LaunchJournal::Packets& each : journal.packets) expected_packets += each.packets;
    CHECK(next == 60);
    CHECK(replayed == fired);
    CHECK(replayed_hops == hops);
    CHECK(replayed_busy == busy);
    CHECK(replayed_packets == expected_packets);
  }
}

TEST_CASE("launch journal: one that grows too long is given up", "[pe][lockstep]") {
  JournalRecorder recorder;
  recorder.begin({}, 0, {}, 1);
  Participants active;
  active.pes = {0};
  std::size_t written = 0;
  for (; recorder.recording() && written < 2 * JournalRecorder::most_entries; ++written) {
    recorder.write(Firing{}, active, 0, {1, 0, 0}, {});
  }
  CHECK_FALSE(recorder.recording());
  CHECK(written == JournalRecorder::most_entries + 2);
}

TEST_CASE("known kernels: journals are found by key, and belong to their kernel", "[pe][lockstep]") {
  KnownKernels kernels;
  const auto a = std::make_shared<const Context>(context_of({0, 0}, 2));
  const auto b = std::make_shared<const Context>(context_of({0, 0}, 2));
  LaunchJournal journal;
  journal.key.counts = {3, 1, 1, 1};
  kernels.keep(kernels.find(a), journal);
  CHECK(kernels.find(a).find(journal.key) != nullptr);
  CHECK(kernels.find(b).find(journal.key) == nullptr);
  LaunchJournal::Key other = journal.key;
  other.resident = true;
  CHECK(kernels.find(a).find(other) == nullptr);
  other = journal.key;
  other.last_served[2] = 1;
  CHECK(kernels.find(a).find(other) == nullptr);
  // So many journals of one kernel are kept.
  for (u32 i = 1; i < 16; ++i) {
    CHECK(kernels.has_room(kernels.find(a)));
    kernels.keep(kernels.find(a), journal);
  }
  CHECK_FALSE(kernels.has_room(kernels.find(a)));
  CHECK(kernels.has_room(kernels.find(b)));
}
