// SPDX-License-Identifier: Apache-2.0
#include "platform/program/command_tags.h"

#include <catch2/catch.hpp>
#include <optional>

#include "models/abi/records.h"

namespace {

using namespace bvp;

TEST_CASE("command tags name more tasks than they have bits for", "[kernels]") {
  constexpr u32 tasks = 200000;
  CommandTags tags(tasks);
  for (int inference = 0; inference < 2; ++inference) {
    bool right = true;
    const auto check = [&](u32 task, u32 step) {
      const std::optional<TaskStep> read = tags.read(tag_of({task, step}));
      right = right && read && read->task == task && read->step == step;
    };
    for (u32 task = 0; task < tasks; ++task) {
      // Weights of the next task come before what the current one ends with.
      if (task + 1 < tasks) check(task + 1, 0);
      check(task, 3);
      if (task > 0) check(task - 1, network_step_stand_in);
    }
    CHECK(right);
    CHECK_FALSE(tags.read(network_tag_end));
  }
}

TEST_CASE("command tags that are not the runtime's say nothing, and spoil nothing", "[kernels]") {
  CommandTags tags(70000);
  CHECK_FALSE(tags.read(0xfff00000));
  CHECK(tags.read(tag_of({30000, 1}))->task == 30000);
  CHECK(tags.read(tag_of({60000, 1}))->task == 60000);
  CHECK(tags.read(tag_of({69999, 1}))->task == 69999);
  CHECK_FALSE(tags.read(tag_of({70000, 1})));
  CHECK(tags.read(tag_of({69998, 1}))->task == 69998);
}

}  // namespace
