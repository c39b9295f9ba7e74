// SPDX-License-Identifier: Apache-2.0
#include "models/pe/program.h"

#include <algorithm>
#include <cstdlib>

namespace bvp {

namespace {

/// Calls f(trip offsets of each stream) for every trip of the levels from `lowest` up, outermost slowest.
template <class F>
void for_each_trip(const Segment& segment, std::size_t lowest, F f) {
  std::array<u16, trip_levels> index{};
  while (true) {
    std::array<i32, streams_per_segment> offset{};
    for (std::size_t s = 0; s < streams_per_segment; ++s) {
      for (std::size_t level = lowest; level < trip_levels; ++level) {
        offset[s] += segment.streams[s].trip_stride[level] * index[level];
      }
    }
    f(offset);
    std::size_t level = lowest;
    while (level < trip_levels && ++index[level] == segment.trips[level]) index[level++] = 0;
    if (level == trip_levels) return;
  }
}

void include(std::vector<Bound>& bounds, const Access& access, Space space, i64 reach) {
  const i64 low = access.offset + std::min<i64>(0, reach), high = access.offset + std::max<i64>(0, reach);
  for (Bound& bound : bounds) {
    if (bound.stream == access.stream && bound.space == space) {
      bound.min = std::min(bound.min, low);
      bound.max = std::max(bound.max, high);
      return;
    }
  }
  bounds.push_back({access.stream, space, low, high});
}

void find_bounds(SegmentProgram& program, const std::vector<Instruction>& code) {
  for (std::size_t i = 0; i < program.runs.size(); ++i) {
    const CalRun& run = program.runs[i];
    const InstructionInfo& info = instruction_info(run.opcode);
    const CalStrides& stride = program.strides[i % program.strides.size()];
    const i64 last = program.repeat - 1;
    include(program.bounds, run.d, info.d, stride.d * last);
    include(program.bounds, run.a, info.a, stride.a * last);
    if (info.b != Space::none) include(program.bounds, run.b, info.b, stride.b * last);
    if (info.c != Space::none) include(program.bounds, run.c, info.c, stride.c * last);
  }
  if (program.transfers.empty()) return;
  const InstructionInfo& info = instruction_info(code.front().opcode);
  for (const Transfer& transfer : program.transfers) {
    include(program.bounds, transfer.d, info.d, 0);
    include(program.bounds, transfer.a, info.a, 0);
  }
}

bool same(const Access& x, const Access& y) { return x.offset == y.offset && x.stream == y.stream; }

std::optional<MacBlock> find_mac_block(const SegmentProgram& program) {
  if (program.strides.size() != 1 || program.runs.front().opcode != Opcode::amacs) return std::nullopt;
  const CalStrides& strides = program.strides.front();
  if (strides.a != 0 || (strides.d == 0 && program.repeat > 1)) return std::nullopt;
  const CalRun& first = program.runs.front();
  MacBlock block;
  if (program.runs.size() > 1) {
    block.term_stride = program.runs[1].a.offset - first.a.offset;
    block.weight_stride = program.runs[1].b.offset - first.b.offset;
  }
  for (std::size_t i = 0; i < program.runs.size(); ++i) {
    const CalRun& run = program.runs[i];
    const auto term = static_cast<i64>(i);
    if (run.d.offset != first.d.offset || run.a.offset != first.a.offset + term * block.term_stride ||
        run.b.offset != first.b.offset + term * block.weight_stride) {
      return std::nullopt;
    }
  }
  return block;
}

/// m0 = lo * w00, m1 = lo * w10, lo = hi * w01 + m0, hi = hi * w11 + m1, the temporaries used by nobody else.
bool find_butterflies(const SegmentProgram& program) {
  if (program.strides.size() != 4) return false;
  const auto& strides = program.strides;
  const bool stride_pattern = strides[0].a == strides[1].a && strides[2].d == strides[0].a &&
                              strides[3].d == strides[2].a && strides[3].a == strides[2].a &&
                              strides[2].c == strides[0].d && strides[3].c == strides[1].d;
  if (!stride_pattern || (program.repeat > 1 && (strides[0].a == 0 || strides[2].a == 0))) return false;
  for (std::size_t i = 0; i + 4 <= program.runs.size(); i += 4) {
    const CalRun* run = &program.runs[i];
    const bool opcodes = run[0].opcode == Opcode::muls && run[1].opcode == Opcode::muls &&
                         run[2].opcode == Opcode::fmas && run[3].opcode == Opcode::fmas;
    if (!opcodes || !same(run[0].a, run[1].a) || !same(run[2].d, run[0].a) || !same(run[2].a, run[3].a) ||
        !same(run[3].d, run[2].a) || !same(run[2].c, run[0].d) || !same(run[3].c, run[1].d)) {
      return false;
    }
    // The temporaries lie behind each other, in a stream of their own.
    if (run[0].d.stream != run[1].d.stream || run[0].d.stream == run[0].a.stream ||
        run[0].d.stream == run[2].a.stream || strides[0].d != 1 || strides[1].d != 1 ||
        std::abs(run[0].d.offset - run[1].d.offset) < static_cast<i32>(program.repeat)) {
      return false;
    }
  }
  return true;
}

i32 base_of(const Stream& stream, const std::vector<i32>& registers) {
  return stream.pe_register == 0 ? stream.base : stream.base + registers[stream.pe_register - 1u];
}

SegmentProgram make_segment(const Kernel& kernel, const Segment& segment, const std::vector<i32>& registers) {
  SegmentProgram program;
  program.unit = segment.unit;
  program.scope = segment.scope;
  program.tag = segment.tag;
  program.streams = segment.streams;
  for (Stream& stream : program.streams) {
    stream.base = base_of(stream, registers);
  }
  std::vector<Instruction> code;
  for (unsigned i = 0; i < segment.instruction_count; ++i) {
    code.push_back(*Instruction::decode(kernel.code[segment.first_instruction + i]));
  }
  using Offsets = std::array<i32, streams_per_segment>;
  const auto access = [](const Operand& operand, const Offsets& offset) {
    return Access{offset[operand.stream] + operand.offset, operand.stream};
  };
  const auto& streams = segment.streams;
  if (segment.unit == Unit::cal) {
    program.repeat = segment.trips[0];
    for (const Instruction& instruction : code) {
      program.strides.push_back(
          {streams[instruction.d.stream].trip_stride[0], streams[instruction.a.stream].trip_stride[0],
           streams[instruction.b.stream].trip_stride[0], streams[instruction.c.stream].trip_stride[0]});
    }
    for_each_trip(segment, 1, [&](const Offsets& offset) {
      for (const Instruction& instruction : code) {
        program.runs.push_back({instruction.opcode, access(instruction.d, offset), access(instruction.a, offset),
                                access(instruction.b, offset), access(instruction.c, offset)});
      }
    });
  } else {
    for_each_trip(segment, 1, [&](const Offsets& outer) {
      for (const Instruction& instruction : code) {
        Offsets offset = outer;
        for (unsigned trip = 0; trip < segment.trips[0]; ++trip) {
          program.transfers.push_back(
              {access(instruction.d, offset), access(instruction.a, offset), instruction.b.offset});
          for (std::size_t s = 0; s < streams_per_segment; ++s) offset[s] += streams[s].trip_stride[0];
        }
      }
    });
  }
  const bool load = segment.unit == Unit::load;
  for (std::size_t i = 0; i < program.transfers.size(); ++i) {
    const Access& first = load ? program.transfers[0].d : program.transfers[0].a;
    const Access& own = load ? program.transfers[i].d : program.transfers[i].a;
    program.consecutive = (i == 0 || program.consecutive) && own.stream == first.stream &&
                          own.offset == first.offset + static_cast<i32>(i);
  }
  find_bounds(program, code);
  if (segment.unit == Unit::cal) {
    program.mac_block = find_mac_block(program);
    program.butterflies = find_butterflies(program);
  }
  return program;
}

}  // namespace

PeStart find_start(const Kernel& kernel, u32 pe) {
  PeStart start;
  const std::vector<i32>& registers = kernel.pe_registers[pe];
  for (std::size_t level = 0; level < instance_levels; ++level) {
    const InstanceLevel& instance = kernel.levels[level];
    if (instance.start_register != 0)
      start.iteration[level] = static_cast<u32>(registers[instance.start_register - 1u]);
  }
  for (const Segment& segment : kernel.segments) {
    StreamBases& bases = start.bases.emplace_back();
    for (std::size_t s = 0; s < streams_per_segment; ++s) {
      const Stream& stream = segment.streams[s];
      // Modulo 2^64, as all sums of addresses.
      auto first = static_cast<u64>(i64{base_of(stream, registers)});
      for (unsigned level = 0; level < segment.scope; ++level) {
        first += start.iteration[level] * static_cast<u64>(i64{stream.instance_stride[level]});
      }
      bases[s] = static_cast<i64>(first);
    }
  }
  return start;
}

PeProgram make_program(const Kernel& kernel, u32 pe) {
  PeProgram program;
  program.pe_rows = kernel.pe_rows;
  program.pe_columns = kernel.pe_columns;
  const PeStart start = find_start(kernel, pe);
  program.start = start.iteration;
  for (std::size_t level = 0; level < instance_levels; ++level) program.step[level] = kernel.levels[level].step;
  for (std::size_t i = 0; i < kernel.segments.size(); ++i) {
    program.segments.push_back(make_segment(kernel, kernel.segments[i], kernel.pe_registers[pe]));
    program.segments.back().first = start.bases[i];
  }
  for (const Edge& edge : kernel.edges) {
    const auto index = static_cast<u32>(program.edges.size());
    const u8 scope = std::min(kernel.segments[edge.from].scope, kernel.segments[edge.to].scope);
    const auto& transfers = program.segments[edge.from].transfers;
    const bool rides = edge.kind == EdgeKind::data && program.segments[edge.from].unit == Unit::flow &&
                       std::any_of(transfers.begin(), transfers.end(),
                                   [&](const Transfer& transfer) { return transfer.peer_mask == edge.peer_mask; });
    program.edges.push_back({edge.from, edge.to, edge.peer_mask, edge.initial, edge.kind, scope, rides});
    program.segments[edge.from].out_edges.push_back(index);
    program.segments[edge.to].in_edges.push_back(index);
  }
  return program;
}

}  // namespace bvp
