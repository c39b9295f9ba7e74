// SPDX-License-Identifier: Apache-2.0
// Every cycle of a unit is in exactly one counter, of one PE and of an array whose PEs take part in different firings.
#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "models/pe/fast/array_account.h"

namespace {

using namespace bvp;

/// Cycles that the counters of a unit have, in all.
u64 accounted(const StatGroup& statistics, Unit unit) {
  const StatGroup& group = statistics.child(unit_names[static_cast<std::size_t>(unit)]);
  u64 sum = group.counter("issue").value() + group.counter("special").value() + group.counter("stall").value();
  for (const char* reason : wait_names) sum += group.counter(std::string("wait_") + reason).value();
  return sum;
}

u64 waited(const StatGroup& statistics, Unit unit, const char* reason) {
  return statistics.child(unit_names[static_cast<std::size_t>(unit)]).counter(std::string("wait_") + reason).value();
}

}  // namespace

TEST_CASE("pe account: the cycles of a unit add up, whatever it does", "[pe][account]") {
  for (u32 seed = 0; seed < 50; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto below = [&](u32 limit) { return static_cast<u32>(random() % limit); };
    StatGroup parent("test");
    PeAccount account("pe0", 5, 8, false, parent);
    std::vector<UnitSpan> spans;
    const Connection connection = account.unit_busy.connect([&](const UnitSpan& span) { spans.push_back(span); });
    Cycle now = 0;
    u64 issued = 0;
    for (int i = 0; i < 200; ++i) {
      const auto unit = static_cast<Unit>(below(unit_count));
      now = std::max<Cycle>(now + below(9), account.counted_until(unit));
      account.wait_until(unit, now, static_cast<Wait>(below(5)));
      CHECK(account.counted_until(unit) == now);
      const BusyCycles busy{1 + below(20), below(5), below(7)};
      issued += busy.issue;
      account.busy(unit, static_cast<u8>(i), now, busy);
      CHECK(account.counted_until(unit) == now + busy.sum());
      CHECK(spans.back().tag == static_cast<u8>(i));
      CHECK(spans.back().pe == 5);
      if (below(3) == 0) {
        account.set_busy_beyond(unit, true);
        account.stall_until(unit, account.counted_until(unit) + below(30));
        account.set_busy_beyond(unit, false);
      }
      CHECK(spans.back().end == account.counted_until(unit));
    }
    now += 1000;
    account.rest_until(now, Wait::drain);
    account.rest_until(now + 10, Wait::no_kernel);
    for (std::size_t unit = 0; unit < unit_count; ++unit) {
      CHECK(accounted(account.statistics(), static_cast<Unit>(unit)) == now + 10);
      CHECK(waited(account.statistics(), static_cast<Unit>(unit), "no_kernel") == 10);
    }
    CHECK(account.statistics().counter("instruction").value() == issued);
  }
}

TEST_CASE("pe account: a unit whose end is not known has stalled until it rests", "[pe][account]") {
  StatGroup parent("test");
  PeAccount account("pe0", 0, 8, false, parent);
  account.busy(Unit::flow, 0, 0, {4, 0, 0});
  account.set_busy_beyond(Unit::flow, true);
  account.rest_until(50, Wait::drain);
  CHECK(account.statistics().child("flow").counter("stall").value() == 46);
  CHECK(waited(account.statistics(), Unit::flow, "drain") == 0);
  CHECK(waited(account.statistics(), Unit::cal, "drain") == 50);
}

TEST_CASE("pe account: cycles are active, idle, gated or in retention", "[pe][account]") {
  for (const bool gating : {false, true}) {
    StatGroup parent("test");
    PeAccount account("pes", 0, 8, gating, parent);
    account.book_cycles(100, 4, 250);
    account.book_cycles(90, 4, 1000);  // the past does not change
    account.set_power(ArrayPower::clock_off);
    account.book_cycles(130, 4, 0);
    account.set_power(ArrayPower::retention);
    account.book_cycles(140, 4, 0);
    const StatGroup& statistics = account.statistics();
    CHECK(statistics.counter("active_cycle").value() == 250);
    CHECK(statistics.counter("idle_cycle").value() == (gating ? 0 : 150));
    CHECK(statistics.counter("gated_cycle").value() == 120 + (gating ? 150 : 0));
    CHECK(statistics.counter("retention_cycle").value() == 40);
  }
}

TEST_CASE("array account: the cycles of each unit add up over PEs that take part in different firings",
          "[pe][account][lockstep]") {
  constexpr u64 pes = 16;
  for (u32 seed = 0; seed < 60; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto below = [&](u32 limit) { return static_cast<u32>(random() % limit); };
    const u64 kernel_pes = 1 + below(pes);
    StatGroup parent("test");
    ArrayAccount account("pes", pes, 8, false, parent);
    Cycle now = below(50);
    for (int launch = 0; launch < 4; ++launch) {
      account.rest_until(now, kernel_pes, nullptr);
      LaunchShares::SharedLaunch shares{now, {}};
      const bool differ = below(3) != 0;
      if (differ) shares.of_pe.assign(kernel_pes, {1, now});
      for (int i = 0; i < 40; ++i) {
        Firing firing;
        firing.unit = static_cast<Unit>(below(unit_count));
        now = firing.now = std::max<Cycle>(now + below(5), account.sum().counted_until(firing.unit));
        Participants active;
        for (u32 pe = 0; pe < kernel_pes; ++pe) {
          if (pe == 0 || !differ || below(3) != 0) active.pes.push_back(pe);
        }
        const u64 cycles = account.wait_until(firing.unit, now, active, kernel_pes);
        account.sum().count_wait(firing.unit, Wait::load, cycles);
        account.busy(firing, {1 + below(9), 0, below(4)}, active, active.count());
        if (!differ) continue;
        for (const u32 pe : active.pes) shares.of_pe[pe].end = account.sum().counted_until(firing.unit);
      }
      for (std::size_t unit = 0; unit < unit_count; ++unit) {
        now = std::max(now, account.sum().counted_until(static_cast<Unit>(unit)));
      }
      for (std::size_t pe = 1; pe < shares.of_pe.size(); ++pe) shares.of_pe[pe].unfinished = below(2);
      now += below(20);
      account.rest_until(now, kernel_pes, &shares);
      for (std::size_t unit = 0; unit < unit_count; ++unit) {
        CHECK(accounted(account.sum().statistics(), static_cast<Unit>(unit)) == pes * now);
      }
      now += below(100);
    }
  }
}
