// SPDX-License-Identifier: Apache-2.0
// A kernel image, read as docs/models/kernel.md describes it. The decoder is one of its own: of models/ it takes the
// list of instructions and the fields of the header, which are numbers that compiler and machine have agreed upon and
// say nothing about time.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "models/isa/instruction.h"

namespace bvp::ticking {

inline constexpr unsigned loop_levels = 4, trip_levels = 6, streams = 4, units = 4;
enum UnitNumber : unsigned { load_unit, cal_unit, flow_unit, store_unit };

struct Operand {
  Space space = Space::none;
  unsigned stream = 0;
  int offset = 0;
};

struct Instruction {
  /// How the Cal unit spends time on it; docs/models/pe.md.
  enum class Kind : std::uint8_t { simple, maximum, special };
  Kind kind = Kind::simple;
  bool accumulates = false;  // it reads the accumulator that it writes
  Operand d, a, b, c;
};

struct Stream {
  std::int64_t base = 0;
  unsigned pe_register = 0, launch_register = 0;  // number + 1, 0: none
  unsigned rotation_scope = 0, rotation_depth = 0;
  std::int64_t rotation_stride = 0;
  std::array<std::int64_t, trip_levels> trip_stride{};
  std::array<std::int64_t, loop_levels> loop_stride{};
};

struct Segment {
  unsigned unit = 0, scope = 0, tag = 0;
  std::array<unsigned, trip_levels> trips{1, 1, 1, 1, 1, 1};
  std::array<Stream, streams> stream{};
  std::vector<Instruction> code;
};

struct Edge {
  unsigned from = 0, to = 0;  // segments
  unsigned peer_mask = 0;
  unsigned initial = 0;
  bool space = false;
  unsigned scope = 0;  // the outer of its segments' two
  bool rides = false;  // with the last vector that the Flow segment sends to that peer
};

struct Loop {
  unsigned start_register = 0;  // number + 1, 0: starts at 0
  unsigned step = 1;
};

struct KernelImage {
  unsigned lanes = 0, pe_rows = 0, pe_columns = 0;
  std::array<Loop, loop_levels> loops{};
  std::vector<Segment> segments;
  std::vector<Edge> edges;
  std::vector<std::vector<std::int32_t>> pe_registers;  // [PE][register]

  /// @throws std::runtime_error  the bytes are no such image
  static KernelImage read(const std::vector<std::uint8_t>& bytes);
};

/// What comes with a launch command.
struct Launch {
  std::array<std::uint32_t, loop_levels> counts{};
  std::array<std::uint32_t, 16> registers{};
  bool keeps_weights = false;
};

}  // namespace bvp::ticking
