// SPDX-License-Identifier: Apache-2.0
// Banks and ports of the operand memory against models that go cycle by cycle.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "models/pe/cal_schedules.h"
#include "models/pe/ports/operand_ports.h"

namespace {

using namespace bvp;

struct Machine {
  explicit Machine(i64 banks = 4, i64 ports = 2, bool hash = true) {
    parameters.operand_banks = banks;
    parameters.operand_ports = ports;
    parameters.operand_bank_hash = hash;
  }
  ParameterGroup root{"test"};
  PeParameters parameters{&root};
};

/// Ports taken by bank and cycle.
class Taken {
 public:
  explicit Taken(const OperandBanks& banks) : banks_(banks) {}
  [[nodiscard]] u32 at(u32 bank, Cycle cycle) const {
    const auto found = taken_.find({bank, cycle});
    return found == taken_.end() ? 0 : found->second;
  }
  [[nodiscard]] bool left(u32 bank, Cycle cycle, u32 wanted = 1) const {
    return at(bank, cycle) + wanted <= banks_.ports();
  }
  void take(u32 bank, Cycle cycle, u32 ports = 1) { taken_[{bank, cycle}] += ports; }
  [[nodiscard]] const std::map<std::pair<u32, Cycle>, u32>& all() const { return taken_; }

 private:
  const OperandBanks& banks_;
  std::map<std::pair<u32, Cycle>, u32> taken_;
};

}  // namespace

TEST_CASE("operand ports: a vector's bank is the last digit of its number, or the exclusive-or of all", "[pe]") {
  const OperandBanks plain(Machine(4, 1, false).parameters), hashed(Machine(4, 1, true).parameters);
  const OperandBanks one(Machine(1, 4, true).parameters);
  for (i64 vector = 0; vector < 256; ++vector) {
    CHECK(plain.bank_of(vector) == vector % 4);
    CHECK(hashed.bank_of(vector) == (vector % 4 ^ vector / 4 % 4 ^ vector / 16 % 4 ^ vector / 64));
    CHECK(one.bank_of(vector) == 0);
  }
}

TEST_CASE("operand ports: an access takes the first cycle in which its bank has a port left, a firing of Cal halts",
          "[pe]") {
  const auto banks = GENERATE(1, 2, 4, 8), ports = GENERATE(1, 2, 3);
  const Machine machine(banks, ports);
  const OperandBanks map(machine.parameters);
  std::mt19937 random(static_cast<unsigned>(banks * 10 + ports));
  const auto below = [&](u64 limit) { return random() % limit; };
  OperandPorts dut(map);
  Taken taken(map), seen(map);
  const Connection connection =
      dut.taken.connect([&](u32 bank, Cycle cycle, u32 count) { seen.take(bank, cycle, count); });
  Cycle now = 1000;
  for (int step = 0; step < 400; ++step) {
    now += below(step % 50 == 0 ? 5000 : 30);
    dut.begin(now);
    if (below(3) != 0) {
      const auto vector = static_cast<i64>(below(256));
      Cycle expected = now + below(below(8) == 0 ? 3000 : 60);
      const Cycle got = dut.access(vector, expected);
      while (!taken.left(map.bank_of(vector), expected)) ++expected;
      REQUIRE(got == expected);
      taken.take(map.bank_of(vector), expected);
      continue;
    }
    PortPattern pattern(map);
    std::vector<std::vector<u32>> wanted;  // by cycle and bank
    const u64 length = 1 + below(below(4) == 0 ? 3000 : 150);
    for (u64 cycle = 0; cycle < length; ++cycle) {
      std::vector<u32>& row = wanted.emplace_back(map.banks(), 0);
      for (u32 bank = 0; bank < map.banks(); ++bank) {
        for (u32 port = 0; port < map.ports() && below(3) == 0; ++port) {
          REQUIRE(pattern.first_free(bank, cycle) == cycle);
          pattern.use(bank, cycle);
          ++row[bank];
        }
      }
    }
    const u64 occupancy = below(length + 1);
    const OperandPorts::Placement placement = dut.place(pattern, now, occupancy);
    OperandPorts::Placement expected;
    Cycle cycle = now;
    for (u64 i = 0; i < pattern.cycles();) {
      bool fits = true;
      for (u32 bank = 0; bank < map.banks(); ++bank) fits = fits && taken.left(bank, cycle, wanted[i][bank]);
      if (fits) {
        for (u32 bank = 0; bank < map.banks(); ++bank) {
          if (wanted[i][bank] != 0) taken.take(bank, cycle, wanted[i][bank]);
        }
        ++i;
      } else {
        ++expected.halts;
        if (i < occupancy) ++expected.issue_halts;
      }
      ++cycle;
    }
    REQUIRE(placement.halts == expected.halts);
    REQUIRE(placement.issue_halts == expected.issue_halts);
  }
  CHECK(seen.all() == taken.all());
}

namespace {

struct Ticked {
  u64 occupancy = 0, completion = 0, latency = 0;
};

/// Executes a Cal segment cycle by cycle. The function is long because it is one cycle from its beginning to its end,
/// in the order in which the hardware does it.
Ticked tick(const Machine& machine, const OperandBanks& map, const SegmentProgram& segment, const StreamBases& bases,
            u32 lanes, Taken& taken) {
  struct Pending {
    Space space;
    i64 address;
    Cycle done;
  };
  std::vector<Pending> pending;
  Ticked result;
  Cycle now = 0, next = 0;
  for (std::size_t i = 0; i < segment.runs.size(); ++i) {
    const CalRun& run = segment.runs[i];
    const CalStrides& strides = segment.strides[i % segment.strides.size()];
    const InstructionInfo& info = instruction_info(run.opcode);
    for (i64 trip = 0; trip < segment.repeat; ++trip) {
      const auto address = [&](const Access& access, i32 stride) {
        return bases[access.stream] + access.offset + trip * stride;
      };
      std::vector<std::pair<Space, i64>> sources;
      const auto source = [&](Space space, const Access& access, i32 stride) {
        if (space == Space::vector || space == Space::accumulator) sources.emplace_back(space, address(access, stride));
        if (space == Space::scalar) sources.emplace_back(Space::vector, address(access, stride) / lanes);
      };
      source(info.a, run.a, strides.a);
      source(info.b, run.b, strides.b);
      source(info.c, run.c, strides.c);
      if (info.d == Space::accumulator && run.opcode != Opcode::azero) source(info.d, run.d, strides.d);
      u64 latency = static_cast<u64>(machine.parameters.cal_latency), slots = 1;
      if (info.timing == Timing::maximum) latency = static_cast<u64>(machine.parameters.max_latency);
      if (info.timing == Timing::special) {
        slots = static_cast<u64>(machine.parameters.special_divisor);
        latency = static_cast<u64>(machine.parameters.special_latency) + slots - 1;
      }
      now = next;
      const auto missing = [&](const auto& wanted) {
        return std::any_of(pending.begin(), pending.end(), [&](const Pending& each) {
          return each.space == wanted.first && each.address == wanted.second && each.done > now;
        });
      };
      while (std::any_of(sources.begin(), sources.end(), missing)) ++now;
      std::vector<i64> unread;
      for (const auto& [space, vector] : sources) {
        if (space == Space::vector && std::count(unread.begin(), unread.end(), vector) == 0) unread.push_back(vector);
      }
      for (;; ++now) {
        std::vector<i64> later;
        for (const i64 vector : unread) {
          if (taken.left(map.bank_of(vector), now)) {
            taken.take(map.bank_of(vector), now);
          } else {
            later.push_back(vector);
          }
        }
        unread = later;
        if (!unread.empty()) continue;
        if (info.d != Space::vector) break;
        const u32 bank = map.bank_of(address(run.d, strides.d));
        if (!taken.left(bank, now + latency - 1)) continue;
        taken.take(bank, now + latency - 1);
        break;
      }
      const i64 destination = address(run.d, strides.d);
      pending.erase(
          std::remove_if(pending.begin(), pending.end(),
                         [&](const Pending& each) { return each.space == info.d && each.address == destination; }),
          pending.end());
      pending.push_back({info.d, destination, now + latency});
      result.latency += now - next;
      next = now + slots;
      result.completion = std::max(result.completion, now + latency);
    }
  }
  result.occupancy = next;
  result.completion = std::max(result.completion, next);
  return result;
}

}  // namespace

TEST_CASE("operand ports: the schedule of a Cal segment never uses more ports than there are, and loses no cycle",
          "[pe]") {
  const auto banks = GENERATE(1, 4, 8), ports = GENERATE(1, 2, 4);
  const bool hash = GENERATE(false, true);
  constexpr u32 lanes = 32;
  Machine machine(banks, ports, hash);
  std::mt19937 random(static_cast<unsigned>(banks * 100 + ports * 10 + (hash ? 1 : 0)));
  const auto below = [&](u32 limit) { return static_cast<u16>(random() % limit); };
  constexpr std::array<Opcode, 14> opcodes{Opcode::mul,  Opcode::fma,   Opcode::fmas,   Opcode::fmass, Opcode::add,
                                           Opcode::max,  Opcode::exp,   Opcode::rcp,    Opcode::azero, Opcode::aadd,
                                           Opcode::amac, Opcode::amuls, Opcode::around, Opcode::tlow};
  for (int round = 0; round < 30; ++round) {
    machine.parameters.cal_latency = 1 + below(6);
    machine.parameters.max_latency = 1 + below(3);
    const CalUnit cal(machine.parameters, lanes);
    Kernel kernel;
    kernel.lanes = lanes;
    kernel.pe_rows = kernel.pe_columns = 1;
    Segment segment;
    segment.unit = Unit::cal;
    segment.instruction_count = static_cast<u8>(1 + below(8));
    for (u32 i = 0; i < segment.instruction_count; ++i) {
      const Opcode opcode = opcodes[below(opcodes.size())];
      const InstructionInfo& info = instruction_info(opcode);
      const auto operand = [&](Space space) {
        switch (space) {
          case Space::vector:
            return Operand{static_cast<u8>(below(2)), below(64)};
          case Space::scalar:
            return Operand{2, below(512)};
          case Space::accumulator:
            return Operand{3, below(8)};
          case Space::distance:
            return Operand{0, 4};
          default:
            return Operand{};
        }
      };
      kernel.code.push_back(
          Instruction{opcode, operand(info.d), operand(info.a), operand(info.b), operand(info.c)}.encode());
    }
    segment.trips[0] = static_cast<u16>(1 + below(6));
    segment.trips[1] = static_cast<u16>(1 + below(4));
    segment.streams[0].trip_stride = {1, 8};
    segment.streams[1].trip_stride = {2, 4};
    segment.streams[2].trip_stride = {1, 32};
    segment.streams[3].trip_stride = {1};
    kernel.segments = {segment};
    kernel.pe_registers = {{}};
    const SegmentProgram program = make_program(kernel, 0).segments.front();
    CalSchedules schedules;
    const auto of_segment = schedules.of(program);
    for (int place = 0; place < 3; ++place) {
      const StreamBases bases{below(100), below(100), below(64), below(8)};
      const CalSchedule& schedule = of_segment->at(cal, program, bases);
      Taken taken(cal.banks());
      const Ticked expected = tick(machine, cal.banks(), program, bases, lanes, taken);
      REQUIRE(schedule.occupancy == expected.occupancy);
      REQUIRE(schedule.completion == expected.completion);
      REQUIRE(schedule.latency == expected.latency);
      REQUIRE(schedule.occupancy == schedule.issue + schedule.special + schedule.latency);
      Taken used(cal.banks());
      for (u64 cycle = 0; cycle < schedule.ports.cycles(); ++cycle) {
        for (u32 bank = 0; bank < cal.banks().banks(); ++bank) {
          for (u32 level = 1; level <= cal.banks().ports(); ++level) {
            if ((schedule.ports.used(bank, level, cycle) & 1) != 0) used.take(bank, cycle);
          }
        }
      }
      REQUIRE(used.all() == taken.all());
      for (const auto& [where, count] : taken.all()) REQUIRE(count <= cal.banks().ports());
    }
    // Equal code shares its schedules.
    CHECK(schedules.of(make_program(kernel, 0).segments.front()) == of_segment);
  }
}
