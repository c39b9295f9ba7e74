// SPDX-License-Identifier: Apache-2.0
// Amounts that take place over time, by windows, held against a sum picosecond by picosecond; states while they last.
#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>
#include <random>
#include <vector>

#include "models/base/activity.h"
#include "models/base/statistics.h"

using namespace bvp;

namespace {

struct Fixture {
  explicit Fixture(u64 length_ps, u64 period_ps) : windows(length_ps, 1), profile(windows, 0, period_ps) {
    counter.set_profile(&profile);
  }
  /// Adds what the counter has counted since the last call to the open window, and opens the next one.
  void close() {
    windows.add(0, static_cast<i64>(counter.value() - taken));
    taken = counter.value();
    windows.open(windows.open() + 1);
  }
  [[nodiscard]] std::vector<i64> all() {
    std::vector<i64> amounts;
    while (windows.oldest() < windows.end()) amounts.push_back(windows.take_oldest().front());
    return amounts;
  }

  StatGroup group{"group"};
  Counter counter{&group, "counter", "things", "things"};
  ActivityWindows windows;
  ActivityProfile profile;
  u64 taken = 0;
};

}  // namespace

TEST_CASE("an amount belongs to the windows in which it takes place", "[activity]") {
  Fixture fixture(1000, 100);  // ten cycles a window
  fixture.close();
  fixture.close();       // cycles 20 to 29
  fixture.counter += 1;  // now
  fixture.counter.add(8, 22, 26);
  fixture.counter.add(20, 5, 25);   // 5 before cycle 10, 10 in window 1, 5 in window 2
  fixture.counter.add(10, 28, 33);  // 4 and 6
  fixture.counter.add(3, 30, 30);   // at the end of the open window is the begin of the next one
  fixture.counter.add(7, 29, 29);
  fixture.close();
  CHECK(fixture.all() == std::vector<i64>{5, 10, 1 + 8 + 5 + 4 + 7, 6 + 3});
}

TEST_CASE("an amount whose time is known later moves there", "[activity]") {
  Fixture fixture(1000, 100);
  fixture.counter.add(64, 10, 10);
  fixture.close();
  fixture.close();
  fixture.counter.move(64, 10, 38, 42);
  fixture.close();
  CHECK(fixture.all() == std::vector<i64>{0, 0, 0, 32, 32});
  CHECK(fixture.counter.value() == 64);
}

TEST_CASE("what belongs to a window that is done with goes to the oldest one", "[activity]") {
  Fixture fixture(1000, 100);
  fixture.close();
  fixture.close();
  CHECK(fixture.windows.take_oldest() == std::vector<i64>{0});
  fixture.counter.add(30, 0, 30);
  fixture.close();
  CHECK(fixture.windows.oldest() == 1);
  CHECK(fixture.all() == std::vector<i64>{20, 10});
}

TEST_CASE("parts of amounts are whole, in proportion, and add up", "[activity]") {
  std::mt19937 random(7);
  const auto below = [&](u64 limit) { return std::uniform_int_distribution<u64>(0, limit - 1)(random); };
  for (int round = 0; round < 200; ++round) {
    const u64 length = 1 + below(2000), period = 1 + below(700);
    Fixture fixture(length, period);
    std::vector<double> expected(64, 0);
    u64 sum = 0;
    for (int i = 0; i < 20; ++i) {
      if (below(3) == 0) fixture.close();
      const u64 amount = below(1000), begin = below(20 * length / period + 1),
                end = begin + below(20 * length / period + 1);
      fixture.counter.add(amount, begin, end);
      sum += amount;
      for (u64 window = 0; window < 64; ++window) {
        const double from = std::max(static_cast<double>(window * length), static_cast<double>(begin * period));
        const double to = std::min(static_cast<double>((window + 1) * length), static_cast<double>(end * period));
        if (end == begin) {
          expected[window] += begin * period / length == window ? static_cast<double>(amount) : 0;
        } else if (to > from) {
          expected[window] += static_cast<double>(amount) * (to - from) / static_cast<double>((end - begin) * period);
        }
      }
    }
    fixture.close();
    const std::vector<i64> amounts = fixture.all();
    CHECK(fixture.counter.value() == sum);
    CHECK(std::accumulate(amounts.begin(), amounts.end(), i64{0}) == static_cast<i64>(sum));
    for (std::size_t window = 0; window < amounts.size(); ++window) {
      CHECK(static_cast<double>(amounts[window]) == Approx(expected.at(window)).margin(20));
    }
  }
}

TEST_CASE("a state is counted while it lasts, however often that is read", "[activity]") {
  StatGroup group("group");
  Counter often(&group, "often", "cycles", ""), once(&group, "once", "cycles", "");
  LastingState a, b;
  for (LastingState* state : {&a, &b}) state->begin(100);
  a.settle(often, 90);
  a.settle(often, 130);
  CHECK(often.value() == 30);
  CHECK(a.uncounted(140) == 10);
  a.begin(135);  // it is open already
  a.settle(often, 170);
  a.end(often, 200);
  b.end(once, 200);
  CHECK(often.value() == 100);
  CHECK(once.value() == 100);
  a.settle(often, 300);
  a.end(often, 300);
  CHECK(often.value() == 100);
  CHECK_FALSE(a.open());
}
