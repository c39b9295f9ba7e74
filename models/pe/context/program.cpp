// SPDX-License-Identifier: Apache-2.0
#include "models/pe/context/program.h"

#include <algorithm>
#include <cstdlib>
#include <initializer_list>

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
    if (info.c != Space::none && !is_immediate(info.c)) include(program.bounds, run.c, info.c, stride.c * last);
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

/// An operand of instruction `run % strides.size()` over the trips of level 0.
struct Operands {
  Access first;
  i32 stride = 0;
  bool operator==(const Operands& other) const { return same(first, other.first) && stride == other.stride; }
};

/// One instruction of a Cal segment with all its trips of level 0.
struct InstructionRun {
  Opcode opcode;
  Operands d, a, b, c;
};

InstructionRun run_at(const SegmentProgram& program, std::size_t run) {
  const CalRun& at = program.runs[run];
  const CalStrides& stride = program.strides[run % program.strides.size()];
  return {at.opcode, {at.d, stride.d}, {at.a, stride.a}, {at.b, stride.b}, {at.c, stride.c}};
}

/// Whether no vector of one is one of the other; false also where that would be hard to say. Streams are taken to alias
/// as they do at their bases.
bool are_apart(const SegmentProgram& program, const Operands& x, const Operands& y) {
  const auto first_of = [&](const Operands& operands) {
    return i64{program.streams[operands.first.stream].base} + operands.first.offset;
  };
  const i64 x_first = first_of(x), y_first = first_of(y), last = i64{program.repeat} - 1;
  if (x.stride == y.stride && x.stride != 0) {
    const i64 distance = y_first - x_first;
    return distance % x.stride != 0 || std::abs(distance / x.stride) > last;
  }
  const auto [x_low, x_high] = std::minmax({x_first, x_first + last * x.stride});
  const auto [y_low, y_high] = std::minmax({y_first, y_first + last * y.stride});
  return x_high < y_low || y_high < x_low;
}

/// Whether all these operands lie in different vectors.
bool are_apart(const SegmentProgram& program, std::initializer_list<Operands> all) {
  for (const Operands* x = all.begin(); x != all.end(); ++x) {
    if (x->stride == 0 && program.repeat > 1) return false;
    for (const Operands* y = all.begin(); y != x; ++y) {
      if (!are_apart(program, *x, *y)) return false;
    }
  }
  return true;
}

/// m0 = lo * w00, m1 = lo * w10, lo = hi * w01 + m0, hi = hi * w11 + m1, the temporaries in a stream of their own.
bool is_butterfly(const SegmentProgram& program, std::size_t run) {
  const InstructionRun m0 = run_at(program, run), m1 = run_at(program, run + 1);
  const InstructionRun low = run_at(program, run + 2), high = run_at(program, run + 3);
  const bool opcodes = m0.opcode == Opcode::muls && m1.opcode == Opcode::muls && low.opcode == Opcode::fmas &&
                       high.opcode == Opcode::fmas;
  const bool operands = m0.a == m1.a && low.d == m0.a && low.a == high.a && high.d == high.a && low.c == m0.d &&
                        high.c == m1.d && m0.d.first.stream == m1.d.first.stream &&
                        m0.d.first.stream != low.d.first.stream && m0.d.first.stream != high.d.first.stream;
  return opcodes && operands && are_apart(program, {low.d, high.d, m0.d, m1.d});
}

/// m_re = hi_re * w_re - hi_im * w_im, m_im = hi_im * w_re + hi_re * w_im, hi = lo - m, lo = lo + m, likewise.
bool is_complex_butterfly(const SegmentProgram& program, std::size_t run) {
  const InstructionRun m_re = run_at(program, run), m_im = run_at(program, run + 1);
  const InstructionRun sum_re = run_at(program, run + 2), sum_im = run_at(program, run + 3);
  const InstructionRun hi_re = run_at(program, run + 4), hi_im = run_at(program, run + 5);
  const InstructionRun lo_re = run_at(program, run + 6), lo_im = run_at(program, run + 7);
  const bool opcodes = m_re.opcode == Opcode::muls && m_im.opcode == Opcode::muls && sum_re.opcode == Opcode::fnmas &&
                       sum_im.opcode == Opcode::fmas && hi_re.opcode == Opcode::sub && hi_im.opcode == Opcode::sub &&
                       lo_re.opcode == Opcode::add && lo_im.opcode == Opcode::add;
  const bool products = m_re.a == hi_re.d && m_im.a == hi_im.d && m_re.b == m_im.b && sum_re.d == m_re.d &&
                        sum_re.a == hi_im.d && sum_re.c == m_re.d && sum_im.d == m_im.d && sum_im.a == hi_re.d &&
                        sum_im.b == sum_re.b && sum_im.c == m_im.d;
  const bool sums = hi_re.a == lo_re.d && hi_re.b == m_re.d && hi_im.a == lo_im.d && hi_im.b == m_im.d &&
                    lo_re.a == lo_re.d && lo_re.b == m_re.d && lo_im.a == lo_im.d && lo_im.b == m_im.d;
  const u8 temporaries = m_re.d.first.stream;
  const bool own_stream = temporaries == m_im.d.first.stream && temporaries != hi_re.d.first.stream &&
                          temporaries != hi_im.d.first.stream && temporaries != lo_re.d.first.stream &&
                          temporaries != lo_im.d.first.stream;
  return opcodes && products && sums && own_stream && lo_re.d.stride == lo_im.d.stride &&
         hi_re.d.stride == hi_im.d.stride && are_apart(program, {lo_re.d, lo_im.d, hi_re.d, hi_im.d, m_re.d, m_im.d});
}

/// t_re = fnmar(hi_re, hi_im, ratio), t_im = fmar(hi_im, hi_re, ratio), hi = lo - t * large, lo = lo + t * large.
bool is_ratio_butterfly(const SegmentProgram& program, std::size_t run) {
  const InstructionRun t_re = run_at(program, run), t_im = run_at(program, run + 1);
  const InstructionRun hi_re = run_at(program, run + 2), hi_im = run_at(program, run + 3);
  const InstructionRun lo_re = run_at(program, run + 4), lo_im = run_at(program, run + 5);
  const bool opcodes = t_re.opcode == Opcode::fnmar && t_im.opcode == Opcode::fmar && hi_re.opcode == Opcode::fnmas &&
                       hi_im.opcode == Opcode::fnmas && lo_re.opcode == Opcode::fmas && lo_im.opcode == Opcode::fmas;
  const bool turned =
      t_re.a == hi_re.d && t_re.b == hi_im.d && t_im.a == hi_im.d && t_im.b == hi_re.d && t_re.c == t_im.c;
  const auto sums = [](const InstructionRun& hi, const InstructionRun& lo, const InstructionRun& t) {
    return hi.a == t.d && lo.a == t.d && hi.b == lo.b && hi.c == lo.d && lo.c == lo.d;
  };
  const u8 temporaries = t_re.d.first.stream;
  const bool own_stream = temporaries == t_im.d.first.stream && temporaries != hi_re.d.first.stream &&
                          temporaries != hi_im.d.first.stream && temporaries != lo_re.d.first.stream &&
                          temporaries != lo_im.d.first.stream;
  return opcodes && turned && sums(hi_re, lo_re, t_re) && sums(hi_im, lo_im, t_im) && hi_re.b == hi_im.b &&
         own_stream && lo_re.d.stride == lo_im.d.stride && hi_re.d.stride == hi_im.d.stride &&
         are_apart(program, {lo_re.d, lo_im.d, hi_re.d, hi_im.d, t_re.d, t_im.d});
}

/// One instruction whose trips of level 0 are both outputs of a butterfly. Whoever reads both inputs first and then
/// writes gets the same.
bool is_pair_of_outputs(const SegmentProgram& program, std::size_t run) {
  const InstructionRun both = run_at(program, run);
  if (both.opcode != Opcode::fmar || program.repeat != 2 || both.a.stride != 0 || both.b.stride != 0) return false;
  const auto place = [&](const Access& access) { return i64{program.streams[access.stream].base} + access.offset; };
  return place(both.d.first) != place(both.a.first) && place(both.d.first) != place(both.b.first);
}

/// lo' = fmar(lo, hi) to another place, then hi' = fmar(lo, hi) in place.
bool is_normal_butterfly(const SegmentProgram& program, std::size_t run) {
  const InstructionRun low = run_at(program, run), high = run_at(program, run + 1);
  const bool operands = low.a == high.a && low.b == high.b && high.d == high.b;
  return low.opcode == Opcode::fmar && high.opcode == Opcode::fmar && operands &&
         are_apart(program, {low.d, low.a, low.b});
}

/// Whether the segment's instructions are `length` ones of which every repetition is such a butterfly.
template <class IsButterfly>
bool consists_of(const SegmentProgram& program, std::size_t length, const IsButterfly& is_one) {
  if (program.strides.size() != length) return false;
  for (std::size_t run = 0; run < program.runs.size(); run += length) {
    if (!is_one(program, run)) return false;
  }
  return true;
}

std::optional<NormalButterflies> find_normal_butterflies(const SegmentProgram& program, const Segment& segment) {
  if (consists_of(program, 2, is_normal_butterfly)) {
    return NormalButterflies{2, program.repeat, program.strides.front(), program.strides.back()};
  }
  if (!consists_of(program, 1, is_pair_of_outputs)) return std::nullopt;
  // The trips of level 1 follow each other at constant distances.
  const CalRun& run = program.runs.front();
  const auto distance = [&](const Access& access) { return segment.streams[access.stream].trip_stride[1]; };
  const CalStrides strides{distance(run.d), distance(run.a), distance(run.b), distance(run.c)};
  return NormalButterflies{segment.trips[1], segment.trips[1], strides, strides};
}

i32 base_of(const Stream& stream, const std::vector<i32>& registers) {
  return stream.pe_register == 0 ? stream.base : stream.base + registers[stream.pe_register - 1u];
}

using Offsets = std::array<i32, streams_per_segment>;

Access access_at(const Operand& operand, const Offsets& offset) {
  return Access{offset[operand.stream] + operand.offset, operand.stream};
}

/// The number of trips of a segment over the levels from `first_level` on.
std::size_t trips(const Segment& segment, std::size_t first_level) {
  std::size_t trips = 1;
  for (std::size_t level = first_level; level < segment.trips.size(); ++level) trips *= segment.trips[level];
  return trips;
}

void lay_out_runs(const Segment& segment, const std::vector<Instruction>& code, SegmentProgram& program) {
  const auto& streams = segment.streams;
  program.repeat = segment.trips[0];
  program.strides.reserve(code.size());
  program.runs.reserve(code.size() * trips(segment, 1));
  for (const Instruction& instruction : code) {
    program.strides.push_back(
        {streams[instruction.d.stream].trip_stride[0], streams[instruction.a.stream].trip_stride[0],
         streams[instruction.b.stream].trip_stride[0], streams[instruction.c.stream].trip_stride[0]});
  }
  for_each_trip(segment, 1, [&](const Offsets& offset) {
    for (const Instruction& instruction : code) {
      const bool immediate = is_immediate(instruction_info(instruction.opcode).c);
      program.runs.push_back({instruction.opcode, access_at(instruction.d, offset), access_at(instruction.a, offset),
                              access_at(instruction.b, offset),
                              immediate ? Access{instruction.c.offset, 0} : access_at(instruction.c, offset)});
    }
  });
}

void lay_out_transfers(const Segment& segment, const std::vector<Instruction>& code, SegmentProgram& program) {
  program.transfers.reserve(code.size() * trips(segment, 0));
  for_each_trip(segment, 1, [&](const Offsets& outer) {
    for (const Instruction& instruction : code) {
      Offsets offset = outer;
      for (unsigned trip = 0; trip < segment.trips[0]; ++trip) {
        program.transfers.push_back(
            {access_at(instruction.d, offset), access_at(instruction.a, offset), instruction.b.offset});
        for (std::size_t s = 0; s < streams_per_segment; ++s) offset[s] += segment.streams[s].trip_stride[0];
      }
    }
  });
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
  code.reserve(segment.instruction_count);
  for (unsigned i = 0; i < segment.instruction_count; ++i) {
    code.push_back(*Instruction::decode(kernel.code[segment.first_instruction + i]));
  }
  if (segment.unit == Unit::cal) {
    lay_out_runs(segment, code, program);
  } else {
    lay_out_transfers(segment, code, program);
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
    program.butterflies = consists_of(program, 4, is_butterfly);
    program.complex_butterflies = consists_of(program, 8, is_complex_butterfly);
    program.ratio_butterflies = consists_of(program, 6, is_ratio_butterfly);
    program.normal_butterflies = find_normal_butterflies(program, segment);
  }
  return program;
}

}  // namespace

FirstIteration first_iteration(const Kernel& kernel, u32 pe) {
  FirstIteration first{};
  for (std::size_t level = 0; level < instance_levels; ++level) {
    const InstanceLevel& instance = kernel.levels[level];
    if (instance.start_register != 0)
      first[level] = static_cast<u32>(kernel.pe_registers[pe][instance.start_register - 1u]);
  }
  return first;
}

StreamBases first_bases(const Kernel& kernel, const Segment& segment, u32 pe, const FirstIteration& iteration) {
  StreamBases bases{};
  for (std::size_t s = 0; s < streams_per_segment; ++s) {
    const Stream& stream = segment.streams[s];
    // Modulo 2^64, as all sums of addresses.
    auto first = static_cast<u64>(i64{base_of(stream, kernel.pe_registers[pe])});
    for (unsigned level = 0; level < segment.scope; ++level) {
      first += iteration[level] * static_cast<u64>(i64{stream.instance_stride[level]});
    }
    bases[s] = static_cast<i64>(first);
  }
  return bases;
}

PeProgram make_program(const Kernel& kernel, u32 pe) {
  PeProgram program;
  program.pe_rows = kernel.pe_rows;
  program.pe_columns = kernel.pe_columns;
  program.start = first_iteration(kernel, pe);
  for (std::size_t level = 0; level < instance_levels; ++level) program.step[level] = kernel.levels[level].step;
  program.segments.reserve(kernel.segments.size());
  for (const Segment& segment : kernel.segments) {
    program.segments.push_back(make_segment(kernel, segment, kernel.pe_registers[pe]));
    program.segments.back().first = first_bases(kernel, segment, pe, program.start);
  }
  program.edges.reserve(kernel.edges.size());
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
