// SPDX-License-Identifier: Apache-2.0
// Measurements in processes of their own.
#include <catch2/catch.hpp>
#include <stdexcept>

#include "platform/bench/child.h"

TEST_CASE("Whatever happens to a measurement is told by its process", "[child]") {
  CHECK(bvp::in_child([]() -> nlohmann::json { return {{"seconds", 2}}; })["seconds"] == 2);
  const auto thrown = bvp::in_child([]() -> nlohmann::json { throw std::runtime_error("no file \xff"); });
  CHECK(thrown["error"] == "no file \xef\xbf\xbd");
  CHECK(bvp::in_child([]() -> nlohmann::json { throw 1; })["error"] == "unknown");
  CHECK(bvp::in_child([]() -> nlohmann::json { return 1; }).contains("error"));
}
