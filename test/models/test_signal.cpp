// SPDX-License-Identifier: Apache-2.0
#include "models/base/signal.h"

#include <catch2/catch.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace bvp;

TEST_CASE("signal: calls all slots in the order of their connection", "[signal]") {
  Signal<int, const std::string&> signal;
  signal(1, "nobody hears it");
  CHECK_FALSE(signal.connected());
  std::string heard;
  const Connection first =
      signal.connect([&](int value, const std::string& text) { heard += text + std::to_string(value); });
  const Connection second =
      signal.connect([&](int value, const std::string&) { heard += "," + std::to_string(-value); });
  CHECK(signal.connected());
  signal(7, "a");
  CHECK(heard == "a7,-7");
}

TEST_CASE("signal: a connection ends with its object", "[signal]") {
  Signal<> signal;
  int calls = 0;
  const auto count = [&] { ++calls; };
  Connection kept = signal.connect(count);
  {
    const Connection passing = signal.connect(count);
    signal();
    CHECK(calls == 2);
  }
  signal();
  CHECK(calls == 3);
  Connection moved = std::move(kept);
  signal();
  CHECK(calls == 4);
  moved.disconnect();
  moved.disconnect();  // a second time does nothing
  signal();
  CHECK(calls == 4);
  CHECK_FALSE(signal.connected());
  moved = signal.connect(count);
  moved = signal.connect(count);  // the one before ends
  signal();
  CHECK(calls == 5);
}

TEST_CASE("signal: a connection may outlive its signal", "[signal]") {
  std::optional<Signal<>> signal(std::in_place);
  Connection connection = signal->connect([] {});
  signal.reset();
  connection.disconnect();
}

TEST_CASE("signal: slots may connect and disconnect while they are called", "[signal]") {
  Signal<> signal;
  std::string heard;
  Connection itself, next, late;
  itself = signal.connect([&, guard = std::string(100, 'x')] {
    heard += "a";
    itself.disconnect();
    next.disconnect();
    late = signal.connect([&] { heard += "c"; });
    heard += std::to_string(guard.size());  // this slot lives until it returns
  });
  next = signal.connect([&] { heard += "b"; });
  signal();
  CHECK(heard == "a100");
  signal();
  CHECK(heard == "a100c");
}

TEST_CASE("signal: a slot may raise the signal again", "[signal]") {
  Signal<int> signal;
  std::vector<int> heard;
  Connection connection = signal.connect([&](int depth) {
    heard.push_back(depth);
    if (depth == 2) connection.disconnect();
    if (depth < 2) signal(depth + 1);
  });
  signal(0);
  CHECK(heard == std::vector<int>{0, 1, 2});
  signal(0);
  CHECK(heard.size() == 3);
}

TEST_CASE("signal: an exception of a slot leaves the signal usable", "[signal]") {
  Signal<bool> signal;
  int calls = 0;
  const Connection connection = signal.connect([&](bool fail) {
    ++calls;
    if (fail) throw std::runtime_error("slot");
  });
  CHECK_THROWS(signal(true));
  signal(false);
  CHECK(calls == 2);
  {
    const Connection gone = signal.connect([&](bool) { calls = 100; });
  }
  signal(false);
  CHECK(calls == 3);
}
