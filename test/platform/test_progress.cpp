// SPDX-License-Identifier: Apache-2.0
// The estimate of a run's progress, and its line on the terminal.
#include <catch2/catch.hpp>

#include "models/abi/records.h"
#include "platform/cli/progress_line.h"
#include "platform/run/progress_estimate.h"

namespace {

using bvp::RunProgress;
using Catch::Matchers::Contains;

RunProgress simulating() {
  RunProgress progress;
  progress.stage = RunProgress::Stage::simulating;
  progress.task = "layers.0.norm1 .. layers.1.attention.value";
  progress.task_index = 2;
  progress.task_count = 5;
  progress.done = 0.429;
  progress.simulated_s = 1.2345e-3;
  return progress;
}

/// Two tasks of 100 and 300 expected cycles; the first has two tiles with one launch each, the second one tile with two
/// launches of which one takes three times the other.
bvp::CompiledNetwork two_tasks() {
  bvp::CompiledNetwork network;
  network.tasks.resize(2);
  network.tasks[0].name = "first";
  network.tasks[0].tiles = 2;
  network.tasks[0].predicted_cycles = 100;
  network.tasks[1].name = "second";
  network.tasks[1].tiles = 1;
  network.tasks[1].predicted_cycles = 300;
  network.kernels.resize(3);
  network.kernels[0].step = {0, 1};
  network.kernels[0].predicted_cycles = 10;
  network.kernels[1].step = {1, 4};
  network.kernels[1].predicted_cycles = 5;
  network.kernels[2].step = {1, 2};
  network.kernels[2].predicted_cycles = 15;
  return network;
}

bvp::Command command(bvp::CommandOpcode opcode, bvp::TaskStep step) {
  bvp::Command command{};
  command.opcode = static_cast<bvp::u8>(opcode);
  command.tag = bvp::tag_of(step);
  return command;
}

}  // namespace

TEST_CASE("Progress goes by the plan's cycles and names the task that runs", "[progress]") {
  const bvp::CompiledNetwork network = two_tasks();
  int changes = 0;
  bvp::ProgressEstimate estimate(network, [&] { ++changes; });
  const auto launch = [&](bvp::TaskStep step) {
    estimate.kernel_launched(command(bvp::CommandOpcode::launch, step), {}, 0);
  };
  const auto complete = [&](bvp::TaskStep step, bvp::CommandOpcode opcode = bvp::CommandOpcode::launch) {
    estimate.command_completed(command(opcode, step), 0);
  };
  CHECK(estimate.task().empty());
  CHECK(estimate.done() == 0);
  complete({0, 0}, bvp::CommandOpcode::dma);
  CHECK(estimate.task().empty());
  launch({0, 1});
  CHECK(estimate.task() == "first");
  CHECK(estimate.done() == 0);
  complete({0, 1});
  CHECK(estimate.done() == Approx(50.0 / 400));
  launch({0, 1});
  CHECK(estimate.task() == "first");
  complete({0, 1});
  CHECK(estimate.done() == Approx(100.0 / 400));
  CHECK(estimate.task() == "second");
  launch({1, 2});
  CHECK(estimate.task() == "second");
  CHECK(estimate.task_index() == 1);
  complete({1, 2});
  CHECK(estimate.done() == Approx((100 + 0.75 * 300) / 400));
  launch({1, 4});
  complete({1, 4});
  CHECK(estimate.done() == Approx(1));
  CHECK(changes == 8);
  // Another inference.
  bvp::Command end = command(bvp::CommandOpcode::dma, {});
  end.tag = bvp::network_tag_end;
  estimate.command_completed(end, 0);
  CHECK(estimate.done() == 1);
  launch({0, 1});
  CHECK(estimate.task() == "first");
  CHECK(estimate.done() == 0);
}

TEST_CASE("Launches that overlap into the next task do not lose the first one's", "[progress]") {
  const bvp::CompiledNetwork network = two_tasks();
  bvp::ProgressEstimate estimate(network, {});
  estimate.kernel_launched(command(bvp::CommandOpcode::launch, {0, 1}), {}, 0);
  estimate.command_completed(command(bvp::CommandOpcode::launch, {0, 1}), 0);
  estimate.kernel_launched(command(bvp::CommandOpcode::launch, {1, 2}), {}, 0);
  estimate.command_completed(command(bvp::CommandOpcode::launch, {0, 1}), 0);
  CHECK(estimate.task() == "second");
  estimate.command_completed(command(bvp::CommandOpcode::launch, {1, 2}), 0);
  CHECK(estimate.done() == Approx((100 + 0.75 * 300) / 400));
}

TEST_CASE("What the firmware says of tasks counts where it can be", "[progress]") {
  const bvp::CompiledNetwork network = two_tasks();
  bvp::ProgressEstimate estimate(network, {});
  for (const bvp::u32 task : {0U, 1U, 2U, 0xffffffffU}) estimate.task_done(task);
  CHECK(estimate.task().empty());
  CHECK(estimate.done() == 0);
  estimate.kernel_launched(command(bvp::CommandOpcode::launch, {0, 1}), {}, 0);
  estimate.task_done(1);
  CHECK(estimate.task() == "first");
  estimate.task_done(0);
  CHECK(estimate.task() == "second");
  CHECK(estimate.done() == Approx(100.0 / 400));
  estimate.task_done(1);
  CHECK(estimate.task() == "second");
  CHECK(estimate.done() == 1);
}

TEST_CASE("A plan without cycles has no share of them", "[progress]") {
  bvp::CompiledNetwork network = two_tasks();
  for (bvp::TaskInfo& task : network.tasks) task.predicted_cycles = 0;
  for (bvp::KernelInfo& kernel : network.kernels) kernel.predicted_cycles = 0;
  bvp::ProgressEstimate estimate(network, {});
  estimate.kernel_launched(command(bvp::CommandOpcode::launch, {0, 1}), {}, 0);
  estimate.command_completed(command(bvp::CommandOpcode::launch, {0, 1}), 0);
  CHECK(estimate.done() == 0);
}

TEST_CASE("The progress line has what there is room for", "[progress]") {
  const RunProgress progress = simulating();
  CHECK(bvp::progress_text(progress, 12.3, 200) ==
        " 42 %, 12 s left, task 3/5 layers.0.norm1 .. layers.1.attention.value, 1.234 ms simulated");
  CHECK(bvp::progress_text(progress, 12.3, 79) ==
        " 42 %, 12 s left, task 3/5 layers.0.norm1 .. layers.1.attention.value");
  CHECK(bvp::progress_text(progress, 12.3, 39) == " 42 %, 12 s left, task 3/5 layer..value");
  CHECK(bvp::progress_text(progress, -1, 39) == " 42 %, task 3/5 layers.0.n..ntion.value");
  CHECK(bvp::progress_text(progress, 12.3, 20) == " 42 %, 12 s left");
  for (std::size_t width = 4; width < 100; ++width) CHECK(bvp::progress_text(progress, 12.3, width).size() <= width);
  RunProgress foreign = progress;
  foreign.task.clear();
  CHECK(bvp::progress_text(foreign, -1, 79) == "1.234 ms simulated");
  CHECK_THAT(bvp::progress_text({}, -1, 79), Contains("planning"));
  RunProgress last = progress;
  last.stage = RunProgress::Stage::verifying;
  CHECK_THAT(bvp::progress_text(last, -1, 79), Contains("verifying"));
  last = progress;
  last.done = 0.9999;
  CHECK_THAT(bvp::progress_text(last, 0, 79), Contains(" 99 %"));
}

TEST_CASE("The time left follows the pace of late and does not jump", "[progress]") {
  bvp::TimeLeft left;
  CHECK(left.seconds() < 0);
  for (int i = 1; i <= 50; ++i) left.note(0.1 * i, 0.01 * i);
  CHECK(left.seconds() == Approx(5));
  const double before = left.seconds();
  left.note(5.1, 0.53);  // one step at three times the pace
  CHECK(left.seconds() < before);
  CHECK(left.seconds() > 0.75 * before);
  for (int i = 1; i <= 40; ++i) left.note(5.1 + 0.1 * i, 0.53 + 0.005 * i);
  CHECK(left.seconds() == Approx(0.27 / 0.05).epsilon(0.25));
  left.note(9.2, 0);  // another inference
  CHECK(left.seconds() < 0);
}

TEST_CASE("Durations are said in units that fit", "[progress]") {
  CHECK(bvp::duration_text(0.2) == "0 s");
  CHECK(bvp::duration_text(59.7) == "60 s");
  CHECK(bvp::duration_text(150) == "2 min");
  CHECK(bvp::duration_text(7300) == "2.0 h");
}
