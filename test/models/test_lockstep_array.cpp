// SPDX-License-Identifier: Apache-2.0
// The loosely timed array without data: launches that are booked from a journal do what launches that are run do.
#include <tlm_utils/multi_passthrough_target_socket.h>
#include <tlm_utils/simple_initiator_socket.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "models/base/simulation_context.h"
#include "models/mesh/mesh.h"
#include "models/pe/fast/lockstep_array.h"
#include "models/power/monitors/mesh_monitor.h"
#include "models/power/monitors/scratchpad_monitor.h"
#include "models/scratchpad/scratchpad.h"
#include "test/support/config_write.h"

namespace {

using namespace bvp;

struct Config : ParameterGroup {
  Config() : ParameterGroup("test") {
    array.rows = 2;
    array.columns = 2;
    scratchpad.size_bytes = 1 << 18;
  }
  ArrayParameters array{this};
  PeParameters pe{this};
  ScratchpadParameters scratchpad{this};
  MeshParameters mesh{this};
};

/// Four PEs load, compute, exchange with their neighbour in the row, compute and store. `distributed`: the rows share
/// the iterations of the outer level, so that one of them may have fewer. The function is long because it writes a
/// kernel segment after segment.
Kernel exchanging_kernel(bool distributed, const Stream& rotating = {}) {
  Kernel kernel;
  kernel.lanes = 32;
  kernel.pe_rows = kernel.pe_columns = 2;
  for (i32 pe = 0; pe < 4; ++pe) kernel.pe_registers.push_back({pe / 2, pe * 0x1000});
  if (distributed) kernel.levels[0] = {1, 2};
  const auto add = [&](Unit unit, unsigned scope, unsigned tag, const Instruction& instruction, u16 count, Stream slots,
                       Stream other) {
    Segment segment;
    segment.unit = unit;
    segment.scope = static_cast<u8>(scope);
    segment.tag = static_cast<u8>(tag);
    segment.first_instruction = static_cast<u16>(kernel.code.size());
    segment.instruction_count = 1;
    segment.trips[0] = count;
    segment.streams[0] = slots;
    segment.streams[1] = other;
    kernel.code.push_back(instruction.encode());
    kernel.segments.push_back(segment);
    return static_cast<u16>(kernel.segments.size() - 1);
  };
  const auto slots = [](i32 base, unsigned depth = 1) {
    Stream stream;
    stream.base = base;
    stream.trip_stride[0] = 1;
    if (depth > 1) {
      stream.rotation_scope = 2;
      stream.rotation_depth = static_cast<u8>(depth);
      stream.rotation_stride = 8;
    }
    return stream;
  };
  const auto memory = [](unsigned launch_register) {
    Stream stream;
    stream.pe_register = 2;
    stream.launch_register = static_cast<u8>(launch_register);
    stream.trip_stride[0] = 64;
    stream.instance_stride = {0x400, 0x100};
    return stream;
  };
  Stream input = memory(1);
  input.rotation_scope = rotating.rotation_scope;
  input.rotation_depth = rotating.rotation_depth;
  input.rotation_stride = rotating.rotation_stride;
  const Instruction load{Opcode::ld, {0, 0}, {1, 0}, {}, {}}, store{Opcode::st, {1, 0}, {0, 0}, {}, {}};
  const Instruction sum{Opcode::add, {0, 0}, {0, 0}, {0, 0}, {}}, send{Opcode::send, {1, 0}, {0, 0}, {0, 1}, {}};
  const u16 weights = add(Unit::load, 0, 0, load, 2, slots(200), memory(3));
  const u16 beside = add(Unit::load, 2, 0, load, 1, slots(60), memory(1));
  const u16 in = add(Unit::load, 2, 0, load, 4, slots(0, 2), input);
  const u16 first = add(Unit::cal, 2, 0, sum, 4, slots(0, 2), {});
  const u16 exchange = add(Unit::flow, 2, 0, send, 3, slots(0, 2), slots(40));
  const u16 second = add(Unit::cal, 2, 1, sum, 3, slots(40), {});
  const u16 out = add(Unit::store, 2, 0, store, 3, slots(40), memory(2));
  const auto edge = [&](u16 from, u16 to, EdgeKind kind, unsigned initial, unsigned mask) {
    Edge one;
    one.from = from;
    one.to = to;
    one.kind = kind;
    one.initial = static_cast<u8>(initial);
    one.peer_mask = static_cast<u8>(mask);
    kernel.edges.push_back(one);
  };
  edge(weights, first, EdgeKind::data, 0, 0);
  edge(in, first, EdgeKind::data, 0, 0);
  edge(beside, second, EdgeKind::data, 0, 0);
  edge(second, beside, EdgeKind::space, 1, 0);
  edge(first, exchange, EdgeKind::data, 0, 0);
  edge(out, in, EdgeKind::space, 1, 1);  // its last token arrives when the launch has ended
  edge(exchange, second, EdgeKind::data, 0, 1);
  edge(second, out, EdgeKind::data, 0, 0);
  edge(out, exchange, EdgeKind::space, 1, 1);
  return kernel;
}

class Bench : public sc_core::sc_module {
 public:
  Bench(sc_core::sc_module_name name, const Config& config)
      : sc_module(name),
        clock(config.array.clock_hz),
        statistics("bench"),
        array("pes", config.array, config.pe, clock, statistics, false),
        agenda("agenda", clock),
        scratchpad("scratchpad", config.array, config.scratchpad, clock, agenda, statistics),
        mesh("mesh", config.array, config.mesh, clock, statistics),
        accesses_("accesses", 4,
                  [this](u32, const tlm::tlm_generic_payload&, const SocketMonitor::Span&) { ++accesses; }),
        memory_monitor_("memory_monitor", config.array, clock, statistics),
        mesh_monitor_("mesh_monitor", config.array, clock, statistics),
        to_array_("to_array", 4),
        linear_("linear"),
        completions_("completions") {
    for (std::size_t pe = 0; pe < 4; ++pe) {
      to_array_[pe].bind(array.config[pe]);
      array.to_scratchpad[pe].bind(accesses_.from[pe]);
      accesses_.to[pe].bind(memory_monitor_.vector.from[pe]);
      memory_monitor_.vector.to[pe].bind(scratchpad.vector[pe]);
      array.to_mesh[pe].bind(mesh_monitor_.from_pe.from[pe]);
      mesh_monitor_.from_pe.to[pe].bind(mesh.from_pe[pe]);
      mesh.to_pe[pe].bind(array.from_mesh[pe]);
    }
    linear_.bind(memory_monitor_.linear.from[0]);
    memory_monitor_.linear.to[0].bind(scratchpad.linear);
    array.to_sequencer.bind(completions_);
    completions_.register_b_transport(this, &Bench::completed);
  }

  bool configure(const Kernel& kernel) {
    const std::vector<u8> image = kernel.encode();
    bool ok = true;
    for (u32 pe = 0; pe < 4; ++pe)
      ok = test::write_config(to_array_[pe], configure_address, image.data(), image.size()) && ok;
    return ok;
  }
  /// False: it is refused.
  bool launch(u32 outer, u32 inner, u32 in, u32 out, u32 flags) {
    LaunchRecord record{};
    record.launch_number = launches + 1;
    record.flags = flags;
    record.counts = {outer, inner, 1, 1};
    record.registers[0] = in;
    record.registers[1] = out;
    record.registers[2] = 0x3c000;
    if (!test::write_config(to_array_[0], launch_address, &record, sizeof record)) return false;
    for (u32 pe = 1; pe < 4; ++pe) test::write_config(to_array_[pe], launch_address, &record, sizeof record);
    ++launches;
    return true;
  }
  /// What runs is never reported.
  void stop() {
    const u32 word = 0;
    for (u32 pe = 0; pe < 4; ++pe) test::write_config(to_array_[pe], stop_address, &word, sizeof word);
    reported = 4 * launches;
  }
  void run(Cycle cycles) {
    const sc_core::sc_time duration = clock.to_time(cycles);
    array.set_horizon(sc_core::sc_time_stamp() + duration);
    sc_core::sc_start(duration);
  }
  [[nodiscard]] bool idle() const { return 4 * launches == reported; }
  void run_until_idle(Cycle step = 50) {
    while (!idle()) run(step);
  }
  /// Every counter, by path.
  [[nodiscard]] std::vector<std::pair<std::string, u64>> counters() {
    array.settle();
    std::vector<std::pair<std::string, u64>> all;
    collect(statistics, "", all);
    return all;
  }

  ClockDomain clock;
  StatGroup statistics;
  LockstepArray array;
  CycleAgenda agenda;
  Scratchpad scratchpad;
  Mesh mesh;
  u32 launches = 0, reported = 0, failed = 0;
  u64 accesses = 0;  // transactions with the scratchpad
  std::vector<Cycle> completed_at;

 private:
  static void collect(const StatGroup& group, const std::string& path, std::vector<std::pair<std::string, u64>>& all) {
    for (const Counter* counter : group.counters()) all.emplace_back(path + counter->name(), counter->value());
    for (const StatGroup* child : group.children()) collect(*child, path + child->name() + ".", all);
  }
  void completed(int, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    LaunchCompletion completion;
    std::memcpy(&completion, payload.get_data_ptr(), sizeof completion);
    ++reported;
    if (completion.status != 0) ++failed;
    completed_at.push_back(clock.to_cycles(sc_core::sc_time_stamp() + delay));
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }

  SocketMonitor accesses_;
  ScratchpadMonitor memory_monitor_;
  MeshMonitor mesh_monitor_;
  sc_core::sc_vector<tlm_utils::simple_initiator_socket<Bench>> to_array_;
  tlm_utils::simple_initiator_socket<Bench> linear_;
  tlm_utils::multi_passthrough_target_socket<Bench> completions_;
};

struct Course {
  u64 accesses = 0;
  std::vector<Cycle> completed_at;
  std::vector<std::vector<std::pair<std::string, u64>>> counters;
};

/// What a script makes of it, with all counters at its end.
Course course_of(bool watched, const std::function<void(Bench&, Course&)>& script) {
  SimulationContext context;
  const Config config;
  Bench bench("bench", config);
  // Who watches the units sees each firing, so nothing is booked from a journal.
  u64 seen = 0;
  Connection connection;
  if (watched) connection = bench.array.unit_busy().connect([&](const UnitSpan&) { ++seen; });
  bench.run(0);
  Course course;
  script(bench, course);
  course.counters.push_back(bench.counters());
  course.completed_at = bench.completed_at;
  course.accesses = bench.accesses;
  CHECK((seen > 0) == watched);
  return course;
}

/// Random launches of two kernels, some of which come while another one runs; counters at random times.
Course random_course(u32 seed, bool watched, double overlapping) {
  return course_of(watched, [&](Bench& bench, Course& course) {
    std::mt19937 random(seed);
    const auto chance = [&](double probability) { return random() < probability * 4294967296.0; };
    for (int step = 0; step < 120; ++step) {
      const bool fresh = step == 0 || chance(0.3);
      if (fresh) REQUIRE(bench.configure(exchanging_kernel(chance(0.5))));
      bench.run(random() % (chance(0.5) ? 4 : 40));
      const u32 outer = 9 + random() % 3, inner = 1 + random() % 2;
      const u32 in = random() % 2 * 0x8000, out = 0x10000 + random() % 2 * 0x8000;
      bench.launch(outer, inner, in, out, fresh ? 0 : command_flag_resident);
      const u32 also = chance(overlapping) ? 1 + random() % 2 : 0;
      for (u32 i = 0; i < also; ++i) {
        bench.run(random() % 150);
        bench.launch(outer, inner, out, in, command_flag_resident);
      }
      if (chance(0.5)) {
        bench.run(random() % 200);
        course.counters.push_back(bench.counters());
      }
      // Often the next launch comes when the last tokens are still on their way.
      bench.run_until_idle(chance(0.5) ? 1 : 50);
      if (chance(0.3)) course.counters.push_back(bench.counters());
    }
    CHECK(bench.failed == 0);
  });
}

void check_same(const Course& run, const Course& booked) {
  CHECK(run.completed_at == booked.completed_at);
  REQUIRE(run.counters.size() == booked.counters.size());
  for (std::size_t i = 0; i < run.counters.size(); ++i) {
    INFO("the counters for the " << i << "th time");
    CHECK(run.counters[i] == booked.counters[i]);
  }
}

void check_same(const std::function<void(Bench&, Course&)>& script) {
  const Course run = course_of(true, script), booked = course_of(false, script);
  check_same(run, booked);
  CHECK(booked.accesses < run.accesses);
}

/// Launches until the array knows what they do.
void make_known(Bench& bench, const Kernel& kernel) {
  for (int i = 0; i < 6; ++i) {
    REQUIRE(bench.configure(kernel));
    REQUIRE(bench.launch(9, 2, 0, 0x10000, 0));
    bench.run_until_idle();
  }
}

}  // namespace

TEST_CASE("lockstep: known launches are booked at the same cycles with the same actions", "[pe][lockstep]") {
  for (u32 seed = 1; seed <= 8; ++seed) {
    INFO("seed " << seed);
    const Course run = random_course(seed, true, 0), booked = random_course(seed, false, 0);
    check_same(run, booked);
    CHECK(booked.accesses < run.accesses * 2 / 3);
  }
}

TEST_CASE("lockstep: a launch that comes while a known one runs finds it where it would be", "[pe][lockstep]") {
  for (u32 seed = 1; seed <= 24; ++seed) {
    INFO("seed " << seed);
    check_same(random_course(seed, true, 0.04), random_course(seed, false, 0.04));
  }
}

TEST_CASE("lockstep: a known kernel fails as it does otherwise", "[pe][lockstep]") {
  const u32 room = (1 << 18) - 8 * 0x400 - 0x100;  // of PE 0, whose addresses stand for those of all
  struct Bad {
    const char* what;
    u32 in, out;
    bool fails;
  };
  for (const Bad& bad : {Bad{"all within", room - 4 * 64, room - 3 * 64, false},
                         Bad{"the last load lies outside", room - 3 * 64, 0x10000, true},
                         Bad{"the last store does", 0, room - 2 * 64, true},
                         Bad{"the first load does", static_cast<u32>(-0x400), 0x10000, true},
                         Bad{"it is no vector's place", 0x10, 0x10000, true}}) {
    INFO(bad.what);
    check_same([&](Bench& bench, Course& course) {
      make_known(bench, exchanging_kernel(true));
      REQUIRE(bench.configure(exchanging_kernel(true)));
      REQUIRE(bench.launch(9, 2, bad.in, bad.out, 0));
      bench.run(100);
      course.counters.push_back(bench.counters());
      // Another one is refused if it has failed by now.
      (void)bench.launch(9, 2, 0, 0x10000, command_flag_resident);
      bench.run_until_idle();
      CHECK((bench.failed > 0) == bad.fails);
      const u32 failed = bench.failed;
      make_known(bench, exchanging_kernel(true));
      CHECK(bench.failed == failed);
    });
  }
}

TEST_CASE("lockstep: a known launch fails when the clock goes, and the array goes on", "[pe][lockstep]") {
  for (Cycle after = 1; after < 400; after += after < 10 ? 1 : 39) {
    INFO(after << " cycles after it has come");
    check_same([&](Bench& bench, Course& course) {
      make_known(bench, exchanging_kernel(false));
      REQUIRE(bench.configure(exchanging_kernel(false)));
      REQUIRE(bench.launch(9, 2, 0, 0x10000, 0));
      if (after % 2 == 0) REQUIRE(bench.launch(9, 2, 0, 0x10000, command_flag_resident));
      bench.run(after);
      REQUIRE_FALSE(bench.idle());
      CHECK_FALSE(bench.array.pending().empty());
      bench.array.set_power(ArrayPower::clock_off, bench.clock.now());
      CHECK(bench.idle());
      CHECK(bench.failed == 4 * (after % 2 == 0 ? 2 : 1));
      bench.run(1000);
      course.counters.push_back(bench.counters());
      CHECK(bench.array.pending().empty());
      bench.array.set_power(ArrayPower::on, bench.clock.now());
      make_known(bench, exchanging_kernel(false));
    });
  }
}

TEST_CASE("lockstep: a known launch is stopped, and the array goes on", "[pe][lockstep]") {
  for (Cycle after = 1; after < 400; after += after < 10 ? 1 : 39) {
    INFO(after << " cycles after it has come");
    check_same([&](Bench& bench, Course& course) {
      const Kernel kernel = exchanging_kernel(after % 3 == 0);
      make_known(bench, kernel);
      REQUIRE(bench.configure(kernel));
      REQUIRE(bench.launch(9, 2, 0, 0x10000, 0));
      if (after % 2 == 0) REQUIRE(bench.launch(9, 2, 0, 0x10000, command_flag_resident));
      bench.run(after);
      REQUIRE_FALSE(bench.idle());
      bench.stop();
      CHECK(bench.array.pending().empty());
      course.counters.push_back(bench.counters());
      CHECK_FALSE(bench.launch(9, 2, 0, 0x10000, 0));
      bench.run(1000);
      course.counters.push_back(bench.counters());
      const std::size_t completed = bench.completed_at.size();
      make_known(bench, kernel);
      CHECK(bench.completed_at.size() == completed + 6 * 4);
      CHECK(bench.failed == 0);
    });
  }
}

TEST_CASE("lockstep: streams rotate from launch to launch", "[pe][lockstep]") {
  Stream rotating;
  rotating.rotation_scope = 2;
  rotating.rotation_depth = 4;
  SECTION("all places lie within") { rotating.rotation_stride = 0x4000; }
  SECTION("one of them does not") { rotating.rotation_stride = 0x15000; }
  SECTION("backwards") { rotating.rotation_stride = -0x1000; }
  check_same([&](Bench& bench, Course& course) {
    REQUIRE(bench.configure(exchanging_kernel(false, rotating)));
    for (int i = 0; i < 24; ++i) {
      if (!bench.launch(1, 1, 0x3000, 0x10000, i == 0 ? 0 : command_flag_resident)) break;
      bench.run_until_idle();
      course.counters.push_back(bench.counters());
    }
    make_known(bench, exchanging_kernel(false));
  });
}

TEST_CASE("lockstep: PEs that run other iterations than PE 0", "[pe][lockstep]") {
  for (const bool first : {true, false}) {
    check_same([&](Bench& bench, Course& course) {
      Kernel kernel = exchanging_kernel(true);
      for (i32 pe = 0; pe < 4; ++pe) kernel.pe_registers[static_cast<u32>(pe)][0] = first ? pe / 2 : 1 - pe / 2;
      for (u32 i = 0; i < 20; ++i) {
        REQUIRE(bench.configure(kernel));
        REQUIRE(bench.launch(8 + i % 2, 1, 0, 0x10000, 0));
        bench.run(150);
        course.counters.push_back(bench.counters());
        bench.run_until_idle();
      }
    });
  }
}
