// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "platform/metrics/figures.h"

namespace {

TEST_CASE("every figure has a key of its own and says what it is", "[figures]") {
  std::set<std::string> keys;
  for (const bvp::Figure& figure : bvp::figures()) {
    INFO(figure.key);
    CHECK(keys.insert(figure.key).second);
    CHECK_FALSE(figure.sentence.empty());
    CHECK_FALSE(figure.value(bvp::RunResult{}).is_discarded());
  }
}

TEST_CASE("headlines are numbers with a label that the terminal has room for", "[figures]") {
  for (const bvp::Figure& figure : bvp::figures()) {
    if (figure.shown != bvp::Figure::Shown::headline) continue;
    INFO(figure.key);
    CHECK_FALSE(figure.unit.empty());
    CHECK_FALSE(figure.label.empty());
    CHECK(figure.label.size() <= 16);
    const auto value = figure.value(bvp::RunResult{});
    CHECK((value.is_number() || value.is_null()));
  }
}

}  // namespace
