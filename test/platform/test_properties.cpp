// SPDX-License-Identifier: Apache-2.0
// Random networks on random machines: each runs bit-exact or is refused before the simulation. A case is made from its
// number alone; the settings that a failure prints reproduce it with `butterfly-vp run --set`.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <string>

#include "platform/run/run.h"
#include "test/support/random_case.h"

namespace {

using namespace bvp;
using test::RandomCase;

/// True: it ran; false: it was refused.
bool check_case(u64 number, bool least_scratchpad) {
  const RandomCase random(number, least_scratchpad);
  INFO("case " << number << "\n"
               << random.network() << fmt::format("--set {}", fmt::join(random.settings(), " --set ")));
  ScenarioOptions options;
  for (const std::string& setting : random.settings()) options.overrides.push_back(parse_override(setting));
  bool simulated = false;
  RunRequest request;
  request.uart = [&](std::string_view) { simulated = true; };
  try {
    const auto scenario = read_scenario_text(random.network(), "random.yaml", options);
    const RunResult result = run_scenario(*scenario, request);
    CHECK(simulated);
    CHECK(result.failure == "");
    CHECK(result.verification.bit_exact);
    return true;
  } catch (const InputError& error) {
    INFO(error.what());
    // The message must name a key that is too small or impossible.
    const std::string reason = error.what();
    const auto names = [&](const char* group) { return reason.find(group) != std::string::npos; };
    CHECK((names("soc.") || names("compiler.") || names("network.")));
    if (least_scratchpad) CHECK_FALSE(names("soc.scratchpad"));
    CHECK_FALSE(simulated);
    return false;
  }
}

void check_cases(u64 first, u64 end, bool least_scratchpad = false) {
  u64 ran = 0;
  for (u64 number = first; number < end; ++number) ran += check_case(number, least_scratchpad) ? 1 : 0;
  INFO(ran << " of " << end - first << " ran, the others were refused");
  CHECK(2 * ran > end - first);
}

}  // namespace

TEST_CASE("a sample of random networks on random machines", "[properties]") { check_cases(0, 24); }

TEST_CASE("random networks need no larger scratchpad than the smallest there is", "[properties]") {
  check_cases(1000, 1008, true);
}

// Some minutes: scripts/test --nightly
TEST_CASE("random networks on random machines", "[properties][.nightly]") { check_cases(24, 624); }
TEST_CASE("random networks in small scratchpads", "[properties][.nightly]") { check_cases(1008, 1108, true); }
