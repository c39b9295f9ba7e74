// SPDX-License-Identifier: Apache-2.0
// The token graph alone, without units that take time: tokens are neither lost nor made, every segment fires as often
// as its trips say, and a unit serves its ready segments by tag and then round robin.
#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <random>
#include <vector>

#include "models/pe/graph/token_graph.h"

namespace {

using namespace bvp;

/// A program of one PE, without instructions.
class Graph {
 public:
  Graph() { program_.step.fill(1); }
  u32 segment(Unit unit, u8 scope, u8 tag = 0) {
    SegmentProgram& segment = program_.segments.emplace_back();
    segment.unit = unit;
    segment.scope = scope;
    segment.tag = tag;
    return static_cast<u32>(program_.segments.size() - 1);
  }
  u32 edge(u32 from, u32 to, u8 initial, u8 peer_mask = 0) {
    EdgeProgram edge;
    edge.from = from;
    edge.to = to;
    edge.initial = initial;
    edge.kind = initial != 0 ? EdgeKind::space : EdgeKind::data;
    edge.peer_mask = peer_mask;
    edge.scope = std::min(program_.segments[from].scope, program_.segments[to].scope);
    program_.edges.push_back(edge);
    const auto number = static_cast<u32>(program_.edges.size() - 1);
    program_.segments[from].out_edges.push_back(number);
    program_.segments[to].in_edges.push_back(number);
    return number;
  }
  PeProgram& program() { return program_; }

 private:
  PeProgram program_;
};

LaunchRecord record(std::array<u32, instance_levels> counts, u32 number = 1, u32 flags = 0) {
  LaunchRecord record{};
  record.launch_number = number;
  record.counts = counts;
  record.flags = flags;
  return record;
}

/// Drives a graph: a firing keeps its unit for some cycles, and ends some cycles after it began.
class Driver {
 public:
  using Cycles = std::function<Cycle()>;
  Driver(const PeProgram& program, Cycles busy, Cycles until_end)
      : program_(program), busy_(std::move(busy)), until_end_(std::move(until_end)) {
    graph.start(program);
  }

  void launch(const LaunchRecord& record, Cycle when) {
    graph.launch(record, when);
    events_.post_launch(when);
  }
  /// Until nothing is left to be done.
  void run() {
    while (const std::optional<Cycle> next = events_.next()) {
      const Cycle now = *next;
      const std::optional<GraphEvent> event = events_.pop(now);
      REQUIRE(event);
      switch (event->kind) {
        case GraphEvent::Kind::arrival:
          graph.arrive(event->index, now);
          break;
        case GraphEvent::Kind::firing_ends:
          graph.end_firing(*event);
          break;
        case GraphEvent::Kind::unit_is_free:
          graph.look_at(static_cast<Unit>(event->index));
          break;
        default:
          graph.arm_all();
          break;
      }
      steps(now);
      while (graph.launch_has_ended()) {
        ended.push_back(graph.launches().front().record.launch_number);
        graph.pop_launch();
      }
    }
  }

  TokenGraph graph;
  std::vector<Firing> firings;
  std::vector<u32> sent;   // edges whose tokens went to other PEs
  std::vector<u32> ended;  // launches
  u64 taken = 0;           // tokens

 private:
  void steps(Cycle now) {
    for (;;) {
      const TokenGraph::Step step = graph.next(now, [&](Unit unit) {
        const Cycle free = free_[static_cast<std::size_t>(unit)];
        if (free > now) events_.post_free(unit, free);
        return free <= now;
      });
      if (const auto* const token = std::get_if<TokenGraph::Token>(&step)) {
        sent.push_back(token->edge);
        // The partner, which runs in step, sends one, too.
        events_.post_token(token->edge, now + 2);
      } else if (std::holds_alternative<TokenGraph::EmptyLaunch>(step)) {
        events_.post_launch(now);
      } else if (const auto* const firing = std::get_if<Firing>(&step)) {
        begin(*firing);
      } else {
        return;
      }
    }
  }
  void begin(const Firing& firing) {
    CHECK(program_.segments[firing.segment].unit == firing.unit);
    firings.push_back(firing);
    taken += firing.tokens;
    free_[static_cast<std::size_t>(firing.unit)] = firing.now + busy_();
    GraphEvent event;
    event.time = firing.now + until_end_();
    event.kind = GraphEvent::Kind::firing_ends;
    event.index = firing.segment;
    event.produces = firing.produces;
    event.last_of_launch = firing.last_of_launch;
    event.launch = firing.launch;
    events_.post(event);
  }

  const PeProgram& program_;
  Cycles busy_, until_end_;
  EventQueue events_;
  std::array<Cycle, unit_count> free_{};
};

Driver::Cycles always(Cycle cycles) {
  return [cycles] { return cycles; };
}

/// What a launch leaves in a graph in which every edge has gone round: each edge has its initial tokens again.
bool at_rest(const Driver& driver, const PeProgram& program) {
  for (u32 edge = 0; edge < program.edges.size(); ++edge) {
    if (driver.graph.tokens(edge) != program.edges[edge].initial) return false;
  }
  return driver.graph.at_rest({});
}

}  // namespace

TEST_CASE("token graph: tokens are conserved, and each segment fires as often as its trips say", "[pe][graph]") {
  for (u32 seed = 0; seed < 300; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto below = [&](u32 limit) { return static_cast<u32>(random() % limit); };
    Graph graph;
    const u32 segments = 2 + below(10);
    // Segments of different scopes may have to get far ahead of each other, so their edges have room for all tokens.
    const bool one_scope = seed % 2 == 0;
    const u32 scope = below(5);
    for (u32 i = 0; i < segments; ++i) {
      graph.segment(static_cast<Unit>(below(unit_count)), static_cast<u8>(one_scope ? scope : below(5)),
                    static_cast<u8>(below(3)));
    }
    // Data edges lead to later segments, so that there is no circle without tokens; each has a space edge back.
    u64 peers = 0;
    for (u32 i = 0; i < 2 * segments; ++i) {
      const u32 from = below(segments - 1), to = from + 1 + below(segments - 1 - from);
      const u8 mask = below(5) == 0 ? 1 : 0;
      peers += mask;
      graph.edge(from, to, 0, mask);
      graph.edge(to, from, static_cast<u8>(one_scope ? 1 + below(3) : 250), mask);
    }
    PeProgram& program = graph.program();
    const std::array<u32, instance_levels> counts{1 + below(4), 1 + below(3), 1 + below(3), 1 + below(2)};
    for (std::size_t level = 0; level < instance_levels; ++level) {
      program.start[level] = below(8) == 0 ? 1 + below(3) : 0;
      program.step[level] = 1 + below(2);
    }
    u64 iterations[instance_levels + 1] = {1, 1, 1, 1, 1};
    bool empty = false;
    for (std::size_t level = 0; level < instance_levels; ++level) {
      const u32 start = program.start[level], step = program.step[level];
      const u64 trips = start >= counts[level] ? 0 : (counts[level] - start - 1) / step + 1;
      iterations[level + 1] = iterations[level] * trips;
      empty = empty || trips == 0;
    }
    Driver driver(
        program, [&] { return Cycle{below(4)}; }, [&] { return Cycle{4 + below(9)}; });
    const u32 launches = 1 + below(3);
    const bool resident = below(2) == 0;
    for (u32 i = 0; i < launches; ++i) {
      driver.launch(record(counts, i + 1, i > 0 && resident ? command_flag_resident : 0), Cycle{i} * below(40));
    }
    driver.run();
    REQUIRE(driver.ended.size() == launches);
    CHECK(std::is_sorted(driver.ended.begin(), driver.ended.end()));
    std::vector<u64> fired(segments, 0);
    u64 taken = 0;
    for (const Firing& firing : driver.firings) ++fired[firing.segment];
    for (u32 i = 0; i < segments; ++i) {
      const unsigned scope = program.segments[i].scope;
      const u64 times = scope == 0 && resident ? 1 : launches;
      const u64 each = scope == 0 ? 1 : empty ? 0 : iterations[scope];
      CHECK(fired[i] == times * each);
    }
    // An edge hands on a token for each iteration of the outer of its two scopes.
    for (const EdgeProgram& edge : program.edges) {
      const bool skipped = edge.scope == 0 && resident && program.segments[edge.to].scope == 0;
      if (edge.scope == 0) {
        taken += skipped ? 1 : program.segments[edge.to].scope == 0 || !empty ? launches : 0;
      } else {
        taken += empty ? 0 : launches * iterations[edge.scope];
      }
    }
    if (!empty) CHECK(driver.taken == taken);
    CHECK(at_rest(driver, program));
    if (!empty) CHECK((peers == 0) == driver.sent.empty());
    CHECK(driver.graph.pending("pe").empty());
  }
}

TEST_CASE("token graph: the smallest tag goes first, then round robin", "[pe][graph]") {
  Graph graph;
  const u32 late = graph.segment(Unit::cal, 1, 2);
  const u32 a = graph.segment(Unit::cal, 1, 1), b = graph.segment(Unit::cal, 1, 1), c = graph.segment(Unit::cal, 1, 1);
  const u32 first = graph.segment(Unit::cal, 0, 0);
  Driver driver(graph.program(), always(1), always(1));
  driver.launch(record({3, 1, 1, 1}), 0);
  driver.run();
  std::vector<u32> order;
  for (const Firing& firing : driver.firings) order.push_back(firing.segment);
  // The first segment is ready before the others have been looked at, as it comes first in the order of tags.
  CHECK(order == std::vector<u32>{first, a, b, c, a, b, c, a, b, c, late, late, late});
}

TEST_CASE("token graph: a firing says where it is, what it waited for and when it is the last", "[pe][graph]") {
  Graph graph;
  const u32 load = graph.segment(Unit::load, 2), cal = graph.segment(Unit::cal, 2, 3);
  graph.edge(load, cal, 0);
  graph.edge(cal, load, 1);
  PeProgram& program = graph.program();
  Stream& stream = program.segments[load].streams[1];
  stream.instance_stride = {1000, 10, 0, 0};
  stream.launch_register = 3;
  stream.rotation_scope = 2;
  stream.rotation_depth = 3;
  stream.rotation_stride = 100000;
  program.segments[load].first[1] = 7;
  program.start = {1, 0, 0, 0};
  program.step = {2, 1, 1, 1};
  Driver driver(program, always(4), always(10));
  LaunchRecord launched = record({4, 2, 1, 1});
  launched.registers[2] = static_cast<u32>(-5);
  driver.launch(launched, 20);
  driver.run();
  REQUIRE(driver.firings.size() == 8);  // two iterations of each level, the outer ones 1 and 3
  for (u32 i = 0; i < 8; ++i) {
    INFO(i);
    const Firing& firing = driver.firings[i];
    const u32 number = i / 2;
    CHECK(firing.segment == (i % 2 == 0 ? load : cal));
    CHECK(firing.now == 20 + Cycle{i} * 10);
    CHECK(firing.tag == (i % 2 == 0 ? 0 : 3));
    CHECK(firing.iteration == Iteration{number / 2, number % 2, 0, 0});
    CHECK(firing.tokens == 1);
    CHECK(firing.first_of_launch() == (number == 0));
    CHECK(firing.last_of_launch == (number == 3));
    CHECK(firing.produces == (number == 3 ? 0 : number == 1 ? 1 : 2));
    const Wait expected = i == 0 ? Wait::launch : i % 2 == 0 ? Wait::space : Wait::load;
    CHECK(firing.waited_for == expected);
    if (i % 2 != 0) continue;
    CHECK(firing.distance[1] == i64{number / 2} * 2 * 1000 + i64{number % 2} * 10 - 5 + i64{number % 3} * 100000);
    CHECK(firing.bases[1] == firing.distance[1] + 7);
    CHECK(firing.distance[0] == 0);
  }
}

TEST_CASE("token graph: nothing fires after the launches have been dropped", "[pe][graph]") {
  Graph graph;
  const u32 load = graph.segment(Unit::load, 1), cal = graph.segment(Unit::cal, 1);
  graph.edge(load, cal, 0);
  TokenGraph dut;
  dut.start(graph.program());
  dut.launch(record({5, 1, 1, 1}), 0);
  dut.arm_all();
  const auto free = [](Unit) { return true; };
  CHECK(std::holds_alternative<Firing>(dut.next(0, free)));
  CHECK_FALSE(dut.pending("pe").empty());
  dut.drop_launches();
  CHECK(std::holds_alternative<TokenGraph::Done>(dut.next(0, free)));
  CHECK(dut.pending("pe").empty());
  dut.stop();
  CHECK_FALSE(dut.at_rest({}));
}

TEST_CASE("event queue: events come in the order of time, those of a cycle in the order in which they were posted",
          "[pe][graph]") {
  std::mt19937 random(5);
  EventQueue queue;
  std::vector<std::pair<Cycle, u32>> expected;
  for (u32 i = 0; i < 500; ++i) {
    const Cycle when = 1 + random() % 40;
    queue.post_token(i, when);
    expected.emplace_back(when, i);
  }
  std::stable_sort(expected.begin(), expected.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  CHECK_FALSE(queue.pop(0));
  for (const auto& [when, index] : expected) {
    const std::optional<GraphEvent> event = queue.pop(100);
    REQUIRE(event);
    CHECK(event->time == when);
    CHECK(event->index == index);
  }
  CHECK_FALSE(queue.next());
  // A unit is told once that it is free, and events of a kernel that does not run any more are stale.
  queue.post_free(Unit::cal, 7);
  queue.post_free(Unit::cal, 9);
  CHECK(queue.any_unit_waits());
  CHECK(queue.all().size() == 1);
  queue.begin_generation();
  CHECK_FALSE(queue.any_unit_waits());
  CHECK(queue.stale(*queue.pop(7)));
}
