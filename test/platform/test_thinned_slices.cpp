// SPDX-License-Identifier: Apache-2.0
// Leaving out slices of a trace.
#include <catch2/catch.hpp>

#include "platform/trace/thinned_slices.h"

namespace {

using namespace bvp;

TraceSlice slice_at(double begin_s) { return {{0, 0}, 0, 100, begin_s, begin_s + 1e-7}; }

TEST_CASE("what fits is kept", "[trace]") {
  ThinnedSlices slices(1000, 50);
  for (int i = 0; i < 10; ++i) slices.add(slice_at(1e-5 * i));
  CHECK(slices.slices().size() == 10);
  CHECK(slices.dropped() == 0);
  CHECK(slices.stretches().empty());
}

TEST_CASE("what does not fit is left out evenly over the run", "[trace]") {
  // Runs shorter and longer than the stretches at first.
  for (const double step_s : {1e-10, 4e-10, 1e-8, 1e-6}) {
    INFO(step_s);
    constexpr u64 limit = 100'000;
    constexpr int count = 100'000;
    ThinnedSlices slices(limit, 160);
    for (int i = 0; i < count; ++i) {
      slices.add(slice_at(step_s * i));
      REQUIRE(slices.bytes() <= limit);
    }
    CHECK(slices.bytes() > limit / 8);
    CHECK(slices.slices().size() + slices.dropped() == count);
    const auto stretches = slices.stretches();
    std::vector<int> quarters(4);
    for (const TraceSlice& slice : slices.slices()) {
      ++quarters.at(static_cast<std::size_t>(4 * slice.begin_s / (step_s * count)));
      bool inside = false;
      for (const auto& [begin, end] : stretches) {
        inside = inside || (slice.begin_s >= begin - 1e-15 && slice.begin_s < end + 1e-15);
      }
      REQUIRE(inside);
    }
    const bool longer_than_a_stretch = step_s * count > 2e-5;
    for (const int kept : quarters) {
      if (longer_than_a_stretch) CHECK(kept > static_cast<int>(slices.slices().size()) / 8);
    }
  }
}

TEST_CASE("nothing is kept where nothing fits", "[trace]") {
  ThinnedSlices slices(50, 10);
  for (int i = 0; i < 1000; ++i) slices.add(slice_at(1e-6 * i));
  CHECK(slices.bytes() <= 50);
  CHECK(slices.slices().empty());
  CHECK(slices.dropped() == 1000);
}

}  // namespace
