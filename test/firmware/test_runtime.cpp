// SPDX-License-Identifier: Apache-2.0
// The firmware's runtime on the host: random networks are turned into commands, a small model of the units
// executes these with random durations, and every order that the protocol promises is checked.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

extern "C" {
#include "runtime/network.h"
}

namespace {

constexpr std::size_t queue_depth = 8;
constexpr uint32_t ring_entries = 1 << 12;

struct Recording {
  std::vector<bvp_command> commands;
  std::map<std::size_t, std::vector<uint32_t>> lists;  // of chosen indices, by the command that reads them
  std::map<uint32_t, uint32_t> semaphores;
  std::vector<bvp_command> ring = std::vector<bvp_command>(ring_entries);
  uint32_t taken = 0;  // of the ring, up to here
  uint32_t fail_after = UINT32_MAX;
  std::vector<uint32_t> done_tasks;
};

Recording* recording = nullptr;  // the driver's functions below are C and have no other way to it

}  // namespace

// The driver, replaced: a ring that has room for one command whenever it is asked for, and whose commands complete when
// waited for.
namespace {

/// Takes the command that has been pushed, if any, and makes room for one.
void take(sequencer* seq) {
  uint32_t& taken = recording->taken;
  for (; taken != seq->tail; taken = (taken + 1) % ring_entries) {
    const bvp_command& command = seq->ring[taken];
    for (const auto& list : network_dma_memory.choices) {
      if (command.image != reinterpret_cast<uintptr_t>(list)) continue;
      const uint32_t count = command.registers[offsetof(bvp_dma_descriptor, count) / sizeof(uint32_t) + 2];
      recording->lists[recording->commands.size()].assign(list, list + count);
    }
    recording->commands.push_back(command);
  }
  if (recording->commands.size() >= recording->fail_after) seq->error = 1;
  std::memset(&seq->ring[seq->tail], 0xee, sizeof(bvp_command));
  seq->head = (seq->tail + 2) % ring_entries;
}

sequencer new_sequencer() {
  sequencer seq{};
  seq.ring = recording->ring.data();
  seq.entries = ring_entries;
  take(&seq);
  return seq;
}

}  // namespace

extern "C" {
uint64_t cycle_count() { return 0; }
void sequencer_set_semaphore(sequencer*, uint32_t semaphore, uint32_t value) {
  recording->semaphores[semaphore] = value;
}
bool sequencer_still_full(sequencer* seq) {
  take(seq);
  return false;
}
void sequencer_sleep_while_full(sequencer* seq) { take(seq); }
void sequencer_doorbell(sequencer* seq) { take(seq); }
bool sequencer_wait(sequencer* seq, sequencer_ticket ticket) {
  // Only this unit's commands: the others are waited for one by one.
  auto& unit = seq->units[sequencer_ticket_unit(ticket)];
  unit.completed = ticket & ((uint32_t{1} << sequencer_ticket_unit_shift) - 1);
  return true;
}
bool sequencer_ask(sequencer* seq, sequencer_ticket ticket) { return sequencer_wait(seq, ticket); }
void sequencer_seal(bvp_command*) { FAIL("no network here asks for check words"); }
void sequencer_command_clear(bvp_command* command, uint8_t opcode, uint32_t tag) {
  std::memset(command, 0, sizeof *command);
  command->opcode = opcode;
  command->signal = command->wait[0] = command->wait[1] = BVP_SEMAPHORE_NONE;
  command->tag = tag;
}
}

namespace {

using Time = uint64_t;

struct Span {
  Time start = 0, end = 0;
  bool done = false;
};

constexpr uint32_t table_rows = 1000;

struct TestNetwork {
  std::vector<bvp_task> tasks;
  std::vector<bvp_step> steps;
  std::vector<uint32_t> indices;  // of all gathers
  bvp_network_header header{};

  void finish() {
    header.magic = BVP_NETWORK_MAGIC;
    header.version = BVP_NETWORK_VERSION;
    header.task_count = static_cast<uint32_t>(tasks.size());
    header.step_count = static_cast<uint32_t>(steps.size());
    header.half_bytes = 0x200000;
    header.tasks = reinterpret_cast<uintptr_t>(tasks.data());
    header.steps = reinterpret_cast<uintptr_t>(steps.data());
    header.ring_entries = 64;
    header.output_channel = 1;
  }
};

bvp_step dma_step(std::mt19937& random, uint64_t source, uint64_t destination) {
  bvp_step step{};
  step.command.opcode = BVP_OPCODE_DMA;
  step.command.signal = step.command.wait[0] = step.command.wait[1] = BVP_SEMAPHORE_NONE;
  bvp_dma_descriptor descriptor{};
  descriptor.source = source;
  descriptor.destination = destination;
  descriptor.length = 64;
  descriptor.count[0] = descriptor.count[1] = descriptor.count[2] = 8;
  std::memcpy(step.command.registers, &descriptor, sizeof descriptor);
  for (int level = 0; level < 3; ++level) {
    step.source_stride[level] = static_cast<int64_t>(random() % 4096) - 2048;
    step.destination_stride[level] = static_cast<int64_t>(random() % 4096) - 2048;
  }
  step.half_mask = random() % 4;
  step.tail_index = BVP_TAIL_NONE;
  return step;
}

bvp_step launch_step(std::mt19937& random, uint64_t image) {
  bvp_step step{};
  step.command.opcode = BVP_OPCODE_LAUNCH;
  step.command.signal = step.command.wait[0] = step.command.wait[1] = BVP_SEMAPHORE_NONE;
  step.command.image = image;
  step.command.image_bytes = 64;
  for (auto& count : step.command.counts) count = 8;
  for (auto& value : step.command.registers) value = random();
  step.half_mask = random() % 65536;
  // Some of the other registers move with the tile.
  step.half_mask |= (random() % 65536 & ~step.half_mask) << 16;
  for (auto& stride : step.source_stride) stride = static_cast<int64_t>(random() % 4096) - 2048;
  step.tail_index = BVP_TAIL_NONE;
  return step;
}

/// All gathers share the indices, which are long enough for any stride here.
void make_gather(TestNetwork& network, std::mt19937& random, bvp_step& step) {
  if (network.indices.empty()) {
    network.indices.resize(4096);
    for (auto& index : network.indices) index = random() % table_rows;
  }
  bvp_dma_descriptor descriptor;
  std::memcpy(&descriptor, step.command.registers, sizeof descriptor);
  descriptor.count[2] = 1 + random() % 200;
  descriptor.source_stride[2] = 4096;
  descriptor.destination_stride[2] = 64;
  std::memcpy(step.command.registers, &descriptor, sizeof descriptor);
  step.command.flags |= BVP_COMMAND_FLAG_INDEXED;
  step.flags = BVP_STEP_FLAG_GATHER;
  step.half_mask = 2;
  step.command.image = reinterpret_cast<uintptr_t>(network.indices.data());
  step.command.image_bytes = table_rows;
  for (auto& stride : step.source_stride) stride = 4 * (random() % 64);
  if (step.tail_index != BVP_TAIL_NONE) {
    step.tail_index = 2;
    step.tail_count = std::min(step.tail_count, descriptor.count[2]);
  }
}

struct Shape {
  uint32_t gathers = 0;  // of the inputs, the first ones
  uint32_t weights = 1, inputs = 1, launches = 1, outputs = 1;
  uint32_t tiles[3] = {1, 1, 1};
  uint32_t flags = 0;
};

void add_task(TestNetwork& network, std::mt19937& random, const Shape& shape, uint32_t tail_percent = 0) {
  bvp_task task{};
  task.flags = shape.flags;
  std::copy(std::begin(shape.tiles), std::end(shape.tiles), task.tiles);
  task.first_step = static_cast<uint32_t>(network.steps.size());
  task.weight_steps = shape.weights;
  task.input_steps = shape.inputs;
  task.compute_steps = shape.launches;
  task.output_steps = shape.outputs;
  const auto add = [&](bvp_step step, uint32_t tail_counts, bool may_vanish) {
    if (random() % 100 < tail_percent) {
      step.tail_index = random() % tail_counts;
      step.tail_count = may_vanish ? random() % 3 : 1 + random() % 3;
    }
    network.steps.push_back(step);
  };
  for (uint32_t i = 0; i < shape.weights; ++i) network.steps.push_back(dma_step(random, 0x80000000, 0x40000000));
  // the first step of a kind stays in every tile, if it is the only thing that the tile has
  for (uint32_t i = 0; i < shape.inputs; ++i) add(dma_step(random, 0x90000000, 0x40000000), 3, i > 0);
  for (uint32_t i = 0; i < shape.gathers; ++i)
    make_gather(network, random, network.steps[task.first_step + shape.weights + i]);
  for (uint32_t i = 0; i < shape.launches; ++i)
    add(launch_step(random, 0xa0000000 + 0x1000 * (random() % 3)), 4, i > 0 || shape.inputs > 0);
  for (uint32_t i = 0; i < shape.outputs; ++i)
    add(dma_step(random, 0x40000000, 0xb0000000), 3, i > 0 || shape.inputs + shape.launches > 0);
  network.tasks.push_back(task);
}

/// Executes commands as the hardware does: one dispatcher in ring order, a queue of finite depth a unit.
class Units {
 public:
  explicit Units(std::map<uint32_t, uint32_t> semaphores) : semaphores_(std::move(semaphores)) {}

  template <class Duration>
  std::vector<Span> execute(const std::vector<bvp_command>& commands, Duration duration) {
    std::vector<Span> spans(commands.size());
    std::size_t next = 0;
    Time now = 0;
    for (;;) {
      bool moved = true;
      while (moved) {
        moved = false;
        if (next < commands.size()) {
          const auto& command = commands[next];
          auto& queue = units_[unit_of(command)].queue;
          if (queue.size() < queue_depth) {
            queue.push_back(next++);
            moved = true;
          }
        }
        for (auto& unit : units_) {
          if (unit.busy || unit.queue.empty() || !acquire(commands[unit.queue.front()])) continue;
          unit.busy = true;
          unit.current = unit.queue.front();
          unit.queue.pop_front();
          spans[unit.current].start = now;
          unit.end = now + duration(commands[unit.current]);
          moved = true;
        }
      }
      Unit* first = nullptr;
      for (auto& unit : units_) {
        if (unit.busy && (first == nullptr || unit.end < first->end)) first = &unit;
      }
      if (first == nullptr) return spans;
      now = first->end;
      first->busy = false;
      spans[first->current].end = now;
      spans[first->current].done = true;
      signal(commands[first->current]);
    }
  }

  [[nodiscard]] const std::map<uint32_t, uint32_t>& semaphores() const { return semaphores_; }

 private:
  struct Unit {
    std::deque<std::size_t> queue;
    std::size_t current = 0;
    bool busy = false;
    Time end = 0;
  };

  static std::size_t unit_of(const bvp_command& command) {
    REQUIRE(command.opcode != BVP_OPCODE_SYNC);
    if (command.opcode == BVP_OPCODE_LAUNCH) return 2;
    return command.unit;
  }
  bool acquire(const bvp_command& command) {
    for (const uint8_t semaphore : command.wait)
      if (semaphore != BVP_SEMAPHORE_NONE && semaphores_[semaphore] == 0) return false;
    for (const uint8_t semaphore : command.wait)
      if (semaphore != BVP_SEMAPHORE_NONE) --semaphores_[semaphore];
    return true;
  }
  void signal(const bvp_command& command) {
    if (command.signal == BVP_SEMAPHORE_NONE) return;
    REQUIRE(++semaphores_[command.signal] == 1);
  }

  std::map<uint32_t, uint32_t> semaphores_;
  Unit units_[3];
};

struct TileRun {
  uint32_t task = 0;
  std::vector<Span> inputs, launches, outputs;
};

struct NetworkRun {
  std::vector<std::vector<Span>> weights;  // by task
  std::vector<TileRun> tiles;
  Span end;
};

Time first_start(const std::vector<Span>& spans) {
  Time time = UINT64_MAX;
  for (const auto& span : spans) time = std::min(time, span.start);
  return time;
}
Time last_end(const std::vector<Span>& spans) {
  Time time = 0;
  for (const auto& span : spans) time = std::max(time, span.end);
  return time;
}

bvp_dma_descriptor descriptor_of(const bvp_command& command) {
  bvp_dma_descriptor descriptor;
  std::memcpy(&descriptor, command.registers, sizeof descriptor);
  return descriptor;
}

/// Compares a command with its step, and tells whether the tile has it at all.
void check_command(const bvp_command& command, const bvp_step& step, const uint32_t (&index)[3], bool tail,
                   uint32_t half, uint32_t half_bytes, uint8_t channel) {
  bvp_command expected = step.command;
  if (expected.opcode == BVP_OPCODE_DMA) {
    auto descriptor = descriptor_of(expected);
    for (int level = 0; level < 3; ++level) {
      descriptor.source += static_cast<uint64_t>(step.source_stride[level] * index[level]);
      descriptor.destination += static_cast<uint64_t>(step.destination_stride[level] * index[level]);
    }
    if ((step.half_mask & 1) != 0) descriptor.source += uint64_t{half} * half_bytes;
    if ((step.half_mask & 2) != 0) descriptor.destination += uint64_t{half} * half_bytes;
    if (tail) descriptor.count[step.tail_index] = step.tail_count;
    std::memcpy(expected.registers, &descriptor, sizeof descriptor);
    expected.unit = channel;
  } else {
    int64_t distance = 0;
    for (int level = 0; level < 3; ++level) distance += step.source_stride[level] * int64_t{index[level]};
    for (unsigned i = 0; i < 16; ++i) {
      if ((step.half_mask >> i & 1) != 0) expected.registers[i] += half * half_bytes;
      if ((step.half_mask >> (16 + i) & 1) != 0) expected.registers[i] += static_cast<uint32_t>(distance);
    }
    if (tail) expected.counts[step.tail_index] = step.tail_count;
  }
  REQUIRE(command.opcode == expected.opcode);
  REQUIRE(command.unit == expected.unit);
  REQUIRE(command.image == expected.image);
  REQUIRE(std::equal(std::begin(command.counts), std::end(command.counts), expected.counts));
  REQUIRE(std::equal(std::begin(command.registers), std::end(command.registers), expected.registers));
}

/// A step with the command of a gather in the given tile, whose indices have been moved to where they are.
bvp_step moved_gather(const bvp_step& step, const uint32_t (&index)[3]) {
  bvp_step moved = step;
  for (int level = 0; level < 3; ++level)
    moved.command.image += static_cast<uint64_t>(step.source_stride[level] * index[level]);
  std::fill(std::begin(moved.source_stride), std::end(moved.source_stride), 0);
  return moved;
}

/// Attributes every command to its tile, checking that there are exactly those expected. The function is long because
/// it follows the runtime through a task: weights, the phases of a tile, further tiles.
NetworkRun attribute(const TestNetwork& network, const std::vector<bvp_command>& commands,
                     const std::vector<Span>& spans) {
  std::map<uint32_t, std::deque<std::size_t>> by_tag;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    REQUIRE(spans[i].done);
    by_tag[commands[i].tag].push_back(i);
  }
  const auto take = [&](uint32_t task, uint32_t step) {
    auto& queue = by_tag[task << 16 | step];
    REQUIRE_FALSE(queue.empty());
    const std::size_t i = queue.front();
    queue.pop_front();
    return i;
  };
  NetworkRun run;
  uint32_t tile_number = 0;
  const uint32_t origin[3] = {0, 0, 0};
  for (uint32_t t = 0; t < network.tasks.size(); ++t) {
    const auto& task = network.tasks[t];
    uint32_t step = 0;
    run.weights.emplace_back();
    for (; step < task.weight_steps; ++step) {
      const auto i = take(t, step);
      check_command(commands[i], network.steps[task.first_step + step], origin, false, 0, 0, 0);
      run.weights.back().push_back(spans[i]);
    }
    uint32_t index[3];
    for (index[2] = 0; index[2] < task.tiles[2]; ++index[2])
      for (index[1] = 0; index[1] < task.tiles[1]; ++index[1])
        for (index[0] = 0; index[0] < task.tiles[0]; ++index[0]) {
          TileRun tile;
          tile.task = t;
          step = task.weight_steps;
          const auto phase = [&](uint32_t count, std::vector<Span>& into, uint8_t channel) {
            for (uint32_t k = 0; k < count; ++k, ++step) {
              const auto& description = network.steps[task.first_step + step];
              const bool tail = index[0] == task.tiles[0] - 1 && description.tail_index != BVP_TAIL_NONE;
              if (tail && description.tail_count == 0) continue;
              if ((description.flags & BVP_STEP_FLAG_GATHER) != 0) {
                const auto i = take(t, step);
                check_command(commands[i], moved_gather(description, index), index, tail, tile_number % 2,
                              network.header.half_bytes, channel);
                REQUIRE((commands[i].flags & BVP_COMMAND_FLAG_INDEXED) != 0);
                REQUIRE(commands[i].image_bytes == table_rows);
                into.push_back(spans[i]);
                continue;
              }
              const auto i = take(t, step);
              check_command(commands[i], description, index, tail, tile_number % 2, network.header.half_bytes, channel);
              into.push_back(spans[i]);
            }
          };
          phase(task.input_steps, tile.inputs, 0);
          phase(task.compute_steps, tile.launches, 0);
          phase(task.output_steps, tile.outputs, static_cast<uint8_t>(network.header.output_channel));
          run.tiles.push_back(tile);
          ++tile_number;
        }
  }
  for (const auto& [tag, queue] : by_tag) {
    if (tag == BVP_NETWORK_TAG_END) {
      REQUIRE(queue.size() == 1);
      run.end = spans[queue.front()];
    } else if ((tag & 0xffff) != BVP_NETWORK_STEP_STAND_IN) {
      REQUIRE(queue.empty());
    }
  }
  return run;
}

void check_order(const TestNetwork& network, const NetworkRun& run) {
  Time stored = 0;  // all outputs of the tasks before the current one
  Time last = 0;
  std::vector<Time> launches_end(network.tasks.size(), 0);
  for (const auto& tile : run.tiles)
    launches_end[tile.task] = std::max(launches_end[tile.task], last_end(tile.launches));
  std::vector<Time> stores_end(network.tasks.size(), 0);
  for (const auto& tile : run.tiles) stores_end[tile.task] = std::max(stores_end[tile.task], last_end(tile.outputs));

  for (std::size_t t = 0; t < network.tasks.size(); ++t) {
    if (t > 0) stored = std::max(stored, stores_end[t - 1]);
    if (t >= 2) REQUIRE(first_start(run.weights[t]) >= launches_end[t - 2]);
    if ((network.tasks[t].flags & BVP_TASK_FLAG_WEIGHTS_DEPEND) != 0) REQUIRE(first_start(run.weights[t]) >= stored);
    last = std::max(last, last_end(run.weights[t]));
    for (const auto& tile : run.tiles) {
      if (tile.task != t) continue;
      REQUIRE(first_start(tile.launches) >= last_end(run.weights[t]));
      if ((network.tasks[t].flags & BVP_TASK_FLAG_DEPENDS) != 0) REQUIRE(first_start(tile.inputs) >= stored);
    }
  }
  for (std::size_t g = 0; g < run.tiles.size(); ++g) {
    const auto& tile = run.tiles[g];
    REQUIRE(first_start(tile.launches) >= last_end(tile.inputs));
    REQUIRE(first_start(tile.outputs) >= std::max(last_end(tile.launches), last_end(tile.inputs)));
    if (g >= 1 && (network.header.flags & BVP_NETWORK_FLAG_NO_PING_PONG) != 0) {
      const auto& before = run.tiles[g - 1];
      const Time stored_before =
          std::max({last_end(before.inputs), last_end(before.launches), last_end(before.outputs)});
      REQUIRE(first_start(tile.inputs) >= stored_before);
      REQUIRE(first_start(tile.launches) >= stored_before);
    }
    if (g >= 2) {
      const auto& before = run.tiles[g - 2];
      const Time free = std::max({last_end(before.inputs), last_end(before.launches), last_end(before.outputs)});
      REQUIRE(first_start(tile.inputs) >= free);
      REQUIRE(first_start(tile.launches) >= free);
    }
    last = std::max({last, last_end(tile.inputs), last_end(tile.launches), last_end(tile.outputs)});
  }
  REQUIRE(run.end.start >= last);
}

void task_done(void*, uint32_t task, const bvp_task*, uint64_t) { recording->done_tasks.push_back(task); }

std::vector<bvp_command> commands_of(const TestNetwork& network, Recording& into) {
  recording = &into;
  sequencer seq = new_sequencer();
  const network_observer observer{task_done, nullptr, nullptr, nullptr};
  uint32_t task = 0;
  const char* problem = network_check(&network.header, &task);
  INFO((problem == nullptr ? "" : problem));
  REQUIRE(problem == nullptr);
  REQUIRE(network_run(&network.header, &seq, &observer) == network_ok);
  REQUIRE(into.done_tasks.size() == network.tasks.size());
  REQUIRE(std::is_sorted(into.done_tasks.begin(), into.done_tasks.end()));
  return into.commands;
}

NetworkRun run_network(const TestNetwork& network, const std::function<Time(const bvp_command&)>& duration) {
  Recording into;
  const auto commands = commands_of(network, into);
  Units units(into.semaphores);
  const auto spans = units.execute(commands, duration);
  const auto run = attribute(network, commands, spans);
  check_order(network, run);
  for (const auto& [semaphore, value] : units.semaphores()) {
    INFO("semaphore " << semaphore);
    REQUIRE(value == 0);
  }
  return run;
}

uint32_t pick(std::mt19937& random, uint32_t low, uint32_t high) { return low + random() % (high - low + 1); }

}  // namespace

TEST_CASE("runtime: random regular networks keep every order and cannot deadlock", "[firmware]") {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    TestNetwork network;
    const uint32_t tasks = pick(random, 1, 6);
    for (uint32_t t = 0; t < tasks; ++t) {
      Shape shape;
      shape.weights = pick(random, 0, 12);
      shape.inputs = pick(random, 1, random() % 4 == 0 ? 20 : 3);
      shape.launches = pick(random, 1, random() % 4 == 0 ? 20 : 3);
      shape.outputs = pick(random, 1, random() % 4 == 0 ? 20 : 3);
      for (auto& tiles : shape.tiles) tiles = pick(random, 1, 3);
      shape.flags = t == 0 ? 0 : random() % 4;
      if (random() % 3 == 0) shape.gathers = pick(random, 1, std::min(shape.inputs, 2u));
      add_task(network, random, shape, shape.gathers > 0 ? 40 : 0);
    }
    network.finish();
    for (const uint32_t flags : {0u, uint32_t{BVP_NETWORK_FLAG_NO_PING_PONG}}) {
      network.header.flags = flags;
      network.header.output_channel = random() % 2;
      run_network(network, [&](const bvp_command&) { return Time{1} + random() % 100; });
    }
  }
}

TEST_CASE("runtime: phases may be missing, and vanish in tail tiles", "[firmware]") {
  for (uint32_t seed = 0; seed < 1000; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    TestNetwork network;
    const uint32_t tasks = pick(random, 1, 6);
    for (uint32_t t = 0; t < tasks; ++t) {
      Shape shape;
      shape.weights = pick(random, 0, 2);
      shape.inputs = pick(random, 0, 3);
      shape.outputs = pick(random, 0, 3);
      // what has neither inputs nor launches would store what nobody wrote
      shape.launches = pick(random, shape.inputs == 0 ? 1 : 0, 3);
      for (auto& tiles : shape.tiles) tiles = pick(random, 1, 3);
      shape.flags = t == 0 ? 0 : random() % 2;
      add_task(network, random, shape, shape.inputs == 0 ? 0 : 40);
    }
    network.finish();
    network.header.flags = random() % 2 == 0 ? 0 : BVP_NETWORK_FLAG_NO_PING_PONG;
    network.header.output_channel = random() % 2;
    run_network(network, [&](const bvp_command&) { return Time{1} + random() % 100; });
  }
}

TEST_CASE("runtime: both halves are kept busy", "[firmware]") {
  // inputs + outputs of a tile take less than a launch: the array must hardly ever wait
  const auto utilisation = [](uint32_t inputs, uint32_t launches, uint32_t outputs) {
    std::mt19937 random(1);
    TestNetwork network;
    Shape shape;
    shape.inputs = inputs;
    shape.launches = launches;
    shape.outputs = outputs;
    shape.tiles[0] = 40;
    add_task(network, random, shape);
    add_task(network, random, shape);
    network.finish();
    const auto run = run_network(network, [&](const bvp_command& command) -> Time {
      if (command.opcode == BVP_OPCODE_LAUNCH) return 12000 / launches;
      return command.unit == 0 ? 5000 / inputs : 5000 / outputs;
    });
    return 80 * 12000.0 / static_cast<double>(run.end.end);
  };
  CHECK(utilisation(1, 1, 1) > 0.97);
  CHECK(utilisation(3, 2, 2) > 0.97);
  CHECK(utilisation(12, 2, 1) > 0.97);
  CHECK(utilisation(2, 24, 2) > 0.97);
  CHECK(utilisation(20, 12, 20) > 0.97);
}

TEST_CASE("runtime: the weights of the next task arrive while the current one computes", "[firmware]") {
  for (const uint32_t tiles : {1u, 2u, 5u}) {
    std::mt19937 random(1);
    TestNetwork network;
    for (uint32_t t = 0; t < 4; ++t) {
      Shape shape;
      shape.weights = 2;
      shape.tiles[1] = tiles;
      shape.flags = t == 0 ? 0 : BVP_TASK_FLAG_DEPENDS;
      add_task(network, random, shape);
    }
    network.finish();
    const auto run = run_network(
        network, [](const bvp_command& command) -> Time { return command.opcode == BVP_OPCODE_LAUNCH ? 1000 : 100; });
    for (uint32_t t = 1; t < 4; ++t) {
      Time computed = 0;
      for (const auto& tile : run.tiles)
        if (tile.task == t - 1) computed = std::max(computed, last_end(tile.launches));
      CHECK(last_end(run.weights[t]) < computed);
    }
  }
}

TEST_CASE("runtime: repeated launches of one image keep the resident weights within a task", "[firmware]") {
  std::mt19937 random(1);
  TestNetwork network;
  Shape shape;
  shape.tiles[0] = 3;
  add_task(network, random, shape);
  add_task(network, random, shape);
  shape.launches = 2;
  add_task(network, random, shape);
  for (auto& step : network.steps)
    if (step.command.opcode == BVP_OPCODE_LAUNCH) step.command.image = 0xa0000000;
  network.steps.back().command.image = 0;  // an output step: no matter
  network.steps[network.tasks[2].first_step + 3].command.image = 0xa0001000;
  network.finish();
  Recording into;
  std::vector<int> flags;
  for (const auto& command : commands_of(network, into))
    if (command.opcode == BVP_OPCODE_LAUNCH) flags.push_back((command.flags & BVP_COMMAND_FLAG_RESIDENT) != 0 ? 1 : 0);
  CHECK(flags == std::vector<int>{0, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("runtime: the last command of every task raises an interrupt, and long tasks do in between", "[firmware]") {
  std::mt19937 random(1);
  TestNetwork network;
  Shape shape;
  shape.tiles[0] = 100;
  add_task(network, random, shape);
  network.finish();
  Recording into;
  const auto commands = commands_of(network, into);
  uint32_t distance = 0;
  for (const auto& command : commands) {
    distance = (command.flags & BVP_COMMAND_FLAG_INTERRUPT) != 0 ? 0 : distance + 1;
    REQUIRE(distance < network.header.ring_entries / 2);
  }
  CHECK(distance == 0);
}

TEST_CASE("runtime: many tasks are reported in order, also more than can be outstanding", "[firmware]") {
  std::mt19937 random(1);
  TestNetwork network;
  for (int t = 0; t < 100; ++t) add_task(network, random, Shape{});
  network.finish();
  Recording into;
  commands_of(network, into);
}

TEST_CASE("runtime: a network may have more tasks than a tag has bits for", "[firmware]") {
  std::mt19937 random(1);
  TestNetwork network;
  Shape shape;
  shape.weights = shape.launches = 0;
  for (int t = 0; t < 66000; ++t) add_task(network, random, shape);
  network.finish();
  Recording into;
  const auto commands = commands_of(network, into);
  // An input and an output each, and the end.
  REQUIRE(commands.size() == 2 * network.tasks.size() + 1);
  bool right = true;
  uint32_t tasks[2] = {0, 0};
  for (std::size_t i = 0; i + 1 < commands.size(); ++i) {
    const uint32_t step = commands[i].tag & 0xffff;
    right = right && step < 2 && commands[i].tag >> 16 == (tasks[step]++ & 0xffff);
  }
  CHECK(right);
}

TEST_CASE("runtime: a sequencer that stops ends the walk", "[firmware]") {
  std::mt19937 random(1);
  TestNetwork network;
  Shape shape;
  shape.tiles[0] = 5;
  add_task(network, random, shape);
  add_task(network, random, shape);
  network.finish();
  for (uint32_t commands = 0; commands < 32; ++commands) {
    Recording into;
    into.fail_after = commands;
    recording = &into;
    sequencer seq = new_sequencer();
    const network_observer observer{nullptr, nullptr, nullptr, nullptr};
    REQUIRE(network_run(&network.header, &seq, &observer) == network_sequencer_error);
    REQUIRE(into.commands.size() == commands);
  }
}

TEST_CASE("runtime: a wrong descriptor is refused", "[firmware]") {
  std::mt19937 random(1);
  TestNetwork network;
  add_task(network, random, Shape{});
  network.finish();
  uint32_t task = 0;
  REQUIRE(network_check(&network.header, &task) == nullptr);
  const auto refused = [&](const std::function<void(TestNetwork&)>& damage) {
    TestNetwork damaged = network;
    damaged.finish();
    damage(damaged);
    Recording into;
    recording = &into;
    sequencer seq = new_sequencer();
    const network_observer observer{task_done, nullptr, nullptr, nullptr};
    CHECK(network_run(&damaged.header, &seq, &observer) == network_bad_descriptor);
    return network_check(&damaged.header, &task) != nullptr;
  };
  CHECK(refused([](TestNetwork& n) { n.header.magic ^= 1; }));
  CHECK(refused([](TestNetwork& n) { n.header.version += 4; }));
  CHECK(refused([](TestNetwork& n) { n.header.task_count = 0; }));
  CHECK(refused([](TestNetwork& n) { n.header.tasks += 4; }));
  CHECK(refused([](TestNetwork& n) { n.header.ring = 32; }));
  CHECK(refused([](TestNetwork& n) { n.header.ring_entries = 48; }));
  CHECK(refused([](TestNetwork& n) { n.header.ring_entries = 0; }));
  CHECK(refused([](TestNetwork& n) { n.header.output_channel = 256; }));
  CHECK(refused([](TestNetwork& n) { n.header.ring_entries = 0x20000; }));
  CHECK(refused([](TestNetwork& n) { n.tasks[0].tiles[1] = 0; }));
  CHECK(refused([](TestNetwork& n) { n.tasks[0].tiles[1] = n.tasks[0].tiles[2] = 0x10000; }));
  CHECK(refused([](TestNetwork& n) { n.tasks[0].input_steps = 0xffffffff; }));
  CHECK(refused([](TestNetwork& n) { n.tasks[0].first_step = 1; }));
  CHECK(
      refused([](TestNetwork& n) { n.tasks[0].input_steps = n.tasks[0].compute_steps = n.tasks[0].output_steps = 0; }));
  CHECK(refused([](TestNetwork& n) { n.steps[1].command.opcode = BVP_OPCODE_LAUNCH; }));
  CHECK(refused([](TestNetwork& n) { n.steps[1].tail_index = 3; }));
  CHECK(refused([](TestNetwork& n) { n.steps[1].half_mask = 4; }));
  CHECK(refused([](TestNetwork& n) { n.steps[2].half_mask = 0x10001; }));
}

TEST_CASE("runtime: a wrong task is found before any of its commands is pushed", "[firmware]") {
  std::mt19937 random(1);
  TestNetwork network;
  for (int i = 0; i < 3; ++i) add_task(network, random, Shape{});
  network.finish();
  network.tasks[2].tiles[0] = 0;
  Recording into;
  recording = &into;
  sequencer seq = new_sequencer();
  const network_observer observer{task_done, nullptr, nullptr, nullptr};
  CHECK(network_run(&network.header, &seq, &observer) == network_bad_descriptor);
  CHECK_FALSE(into.commands.empty());
  for (const bvp_command& command : into.commands) CHECK(command.tag >> 16 < 2);
  uint32_t task = 0;
  REQUIRE(network_check(&network.header, &task) != nullptr);
  CHECK(task == 2);
}

TEST_CASE("runtime: gathers that make no sense are refused", "[firmware]") {
  const auto problem = [](const std::function<void(bvp_step&, bvp_dma_descriptor&)>& spoil, std::size_t step = 1) {
    std::mt19937 random(1);
    TestNetwork network;
    Shape shape;
    shape.gathers = 1;
    add_task(network, random, shape);
    auto& gather = network.steps[step];
    if (step != 1) gather.flags = BVP_STEP_FLAG_GATHER;
    auto descriptor = descriptor_of(gather.command);
    spoil(gather, descriptor);
    std::memcpy(gather.command.registers, &descriptor, sizeof descriptor);
    network.finish();
    uint32_t task = 0;
    const char* text = network_check(&network.header, &task);
    return std::string(text == nullptr ? "" : text);
  };
  const auto nothing = [](bvp_step&, bvp_dma_descriptor&) {};
  const std::string count = "a gather has no index";
  const std::string tail = "a gather's tail is not one of its indices";
  const std::string alignment = "a gather's indices are not aligned";
  const std::string table = "a gather does not read from a table";
  CHECK(problem(nothing) == "");
  CHECK(problem([](bvp_step& s, bvp_dma_descriptor&) { s.command.flags = 0; }) == "a gather's command is not indexed");
  CHECK(problem([](bvp_step&, bvp_dma_descriptor& d) { d.count[2] = 5000; }) == "");
  CHECK(problem([](bvp_step&, bvp_dma_descriptor& d) { d.count[2] = 0; }) == count);
  CHECK(problem([](bvp_step& s, bvp_dma_descriptor&) { s.tail_index = 1, s.tail_count = 1; }) == tail);
  CHECK(problem([](bvp_step& s, bvp_dma_descriptor& d) { s.tail_index = 2, s.tail_count = d.count[2] + 1; }) == tail);
  CHECK(problem([](bvp_step& s, bvp_dma_descriptor&) { s.command.image += 2; }) == alignment);
  CHECK(problem([](bvp_step& s, bvp_dma_descriptor&) { s.command.image = 0; }) == alignment);
  CHECK(problem([](bvp_step& s, bvp_dma_descriptor&) { s.command.image_bytes = 0; }) ==
        "a gather has no bound of its indices");
  CHECK(problem([](bvp_step& s, bvp_dma_descriptor&) { s.half_mask = 3; }) == table);
  CHECK(problem([](bvp_step&, bvp_dma_descriptor& d) { d.fill = BVP_DMA_FILL_FLAG; }) == table);
  for (const std::size_t step : {0u, 2u, 3u}) CHECK(problem(nothing, step) == "a step gathers that is no input");
}

namespace {

/// Scores as fp16 bits: few different ones, so that many are equal, both zeros, and both signs.
std::vector<uint16_t> random_scores(std::mt19937& random, std::size_t count) {
  static constexpr uint16_t values[] = {0x0000, 0x8000, 0x3c00, 0xbc00, 0x4000, 0xc000, 0x0001, 0x8001, 0x7bff, 0xfbff};
  std::vector<uint16_t> scores(count);
  for (auto& score : scores)
    score = random() % 3 == 0 ? static_cast<uint16_t>(random() % 0x7c00) : values[random() % 10];
  return scores;
}

double number_of(uint16_t half) {
  const int exponent = half >> 10 & 31, fraction = half & 0x3ff;
  const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25);
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

/// The `count` highest, ascending; of equal ones the first.
std::vector<uint32_t> highest(const uint16_t* scores, uint32_t candidates, uint32_t count) {
  std::vector<uint32_t> order(candidates);
  for (uint32_t i = 0; i < candidates; ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return number_of(scores[a]) > number_of(scores[b]); });
  order.resize(count);
  std::sort(order.begin(), order.end());
  return order;
}

}  // namespace

TEST_CASE("runtime: a gather chooses the highest scores of its tile, and the one behind takes the same", "[firmware]") {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    std::mt19937 random(seed);
    const uint32_t candidates = pick(random, 1, 300), count = pick(random, 1, std::min(candidates, 256u));
    const uint32_t tiles[3] = {pick(random, 1, 5), pick(random, 1, 3), pick(random, 1, 2)};
    const uint32_t row = (candidates + 1) / 2 * 2;  // scores are aligned to four bytes
    const std::vector<uint16_t> scores = random_scores(random, std::size_t{row} * tiles[0] * tiles[1] * tiles[2]);
    TestNetwork network;
    Shape shape;
    shape.flags = BVP_TASK_FLAG_DEPENDS;
    add_task(network, random, shape);
    shape.inputs = 3;
    std::copy(std::begin(tiles), std::end(tiles), shape.tiles);
    add_task(network, random, shape);
    const std::size_t first = network.tasks[1].first_step + 2;  // behind the weights and an input
    for (std::size_t i = first; i < first + 2; ++i) {
      bvp_step& step = network.steps[i];
      auto descriptor = descriptor_of(step.command);
      descriptor.count[2] = count;
      descriptor.source_stride[2] = 8192;
      descriptor.destination_stride[2] = 128;
      std::memcpy(step.command.registers, &descriptor, sizeof descriptor);
      step.command.flags |= BVP_COMMAND_FLAG_INDEXED;
      step.flags = BVP_STEP_FLAG_GATHER | BVP_STEP_FLAG_CHOOSE;
      step.half_mask = 2;
      step.command.image = reinterpret_cast<uintptr_t>(scores.data());
      step.command.image_bytes = candidates;
      step.command.counts[0] = i == first ? candidates : 0;
      step.source_stride[0] = 2 * row;
      step.source_stride[1] = 2 * row * tiles[0];
      step.source_stride[2] = 2 * row * tiles[0] * tiles[1];
    }
    network.finish();
    network.header.version = network_version_choosing;
    Recording into;
    recording = &into;
    sequencer seq = new_sequencer();
    const network_observer observer{task_done, nullptr, nullptr, nullptr};
    REQUIRE(network_run(&network.header, &seq, &observer) == network_ok);
    take(&seq);
    for (std::size_t step = first; step < first + 2; ++step) {
      const bvp_step& description = network.steps[step];
      const auto pattern = descriptor_of(description.command);
      const uint32_t tag = 1 << 16 | static_cast<uint32_t>(step - network.tasks[1].first_step);
      std::vector<std::size_t> numbers;
      for (std::size_t i = 0; i < into.commands.size(); ++i) {
        if (into.commands[i].tag == tag) numbers.push_back(i);
      }
      const uint32_t tile_count = tiles[0] * tiles[1] * tiles[2];
      REQUIRE(numbers.size() == tile_count);
      for (uint32_t tile = 0; tile < tile_count; ++tile) {
        const std::vector<uint32_t> want = highest(scores.data() + std::size_t{row} * tile, candidates, count);
        const uint32_t index[3] = {tile % tiles[0], tile / tiles[0] % tiles[1], tile / tiles[0] / tiles[1]};
        int64_t moved = 0;
        for (int level = 0; level < 3; ++level) moved += description.destination_stride[level] * index[level];
        const bvp_command& command = into.commands[numbers[tile]];
        const auto got = descriptor_of(command);
        INFO("seed " << seed << ", step " << step << ", tile " << tile);
        // The tile is the second one of the network in half 1, and so on.
        const uint64_t half = (tile + 1) % 2 * network.header.half_bytes;
        REQUIRE(got.source == pattern.source + static_cast<uint64_t>(moved));
        REQUIRE(got.destination == pattern.destination + half);
        REQUIRE(got.count[2] == count);
        REQUIRE(command.image_bytes == candidates);
        REQUIRE(command.counts[0] == 0);
        // The list as it was when the command was pushed: it is written anew for a later tile.
        REQUIRE(into.lists.at(numbers[tile]) == want);
      }
    }
  }
}

TEST_CASE("runtime: choices that make no sense are refused", "[firmware]") {
  const auto problem = [](const std::function<void(bvp_step&, bvp_dma_descriptor&)>& spoil) {
    std::mt19937 random(1);
    TestNetwork network;
    Shape shape;
    shape.gathers = 1;
    add_task(network, random, shape);
    auto& gather = network.steps[1];
    gather.flags = BVP_STEP_FLAG_GATHER | BVP_STEP_FLAG_CHOOSE;
    gather.command.counts[0] = 32;
    auto descriptor = descriptor_of(gather.command);
    descriptor.count[2] = 8;
    spoil(gather, descriptor);
    std::memcpy(gather.command.registers, &descriptor, sizeof descriptor);
    network.finish();
    network.header.version = network_version_choosing;
    uint32_t task = 0;
    const char* text = network_check(&network.header, &task);
    return std::string(text == nullptr ? "" : text);
  };
  const std::string many = "a gather chooses more indices than there are, or than the runtime can hold";
  CHECK(problem([](bvp_step&, bvp_dma_descriptor&) {}) == "");
  CHECK(problem([](bvp_step& s, bvp_dma_descriptor&) { s.command.counts[0] = 8; }) == "");
  CHECK(problem([](bvp_step& s, bvp_dma_descriptor&) { s.command.counts[0] = 7; }) == many);
  CHECK(problem([](bvp_step& s, bvp_dma_descriptor&) { s.command.counts[0] = 0; }) == "");
  CHECK(problem([](bvp_step& s, bvp_dma_descriptor&) { s.tail_index = 2, s.tail_count = 1; }) == many);
  CHECK(problem([](bvp_step& s, bvp_dma_descriptor&) { s.command.image_bytes = 0; }) ==
        "a gather has no bound of its indices");
  CHECK(problem([](bvp_step& s, bvp_dma_descriptor& d) { s.command.counts[0] = d.count[2] = 257; }) == many);
  CHECK(problem([](bvp_step& s, bvp_dma_descriptor& d) { s.command.counts[0] = d.count[2] = 256; }) == "");
}
