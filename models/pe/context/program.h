// SPDX-License-Identifier: Apache-2.0
// A kernel as one PE sees it: PE registers resolved, edges sorted, addresses of every trip laid out.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "models/isa/kernel.h"

namespace bvp {

/// Where the streams of a segment point in one firing.
using StreamBases = std::array<i64, streams_per_segment>;

/// The iteration of each level at which a PE begins.
using FirstIteration = std::array<u32, instance_levels>;

/// One operand access relative to its stream's base.
struct Access {
  i32 offset = 0;
  u8 stream = 0;
};

/// One transfer of a Load, Store or Flow segment.
struct Transfer {
  Access d, a;
  u32 peer_mask = 0;
};

/// One instruction run over trip level 0: `count` issues with the operands' strides.
struct CalRun {
  Opcode opcode = Opcode::mul;
  Access d, a, b, c;  // an immediate is its offset
};

/// Strides of trip level 0 in one instruction of a Cal segment.
struct CalStrides {
  i32 d = 0, a = 0, b = 0, c = 0;
};

/// The offsets that a segment's operands reach in one space through one stream.
struct Bound {
  u8 stream = 0;
  Space space = Space::none;
  i64 min = 0, max = 0;
};

/// A Cal segment that is one `amacs` over accumulators (trip level 0) and terms (the outer trips): the host can
/// run it as one block.
struct MacBlock {
  i64 term_stride = 0;    // of operand a, in vectors
  i64 weight_stride = 0;  // of operand b, in scalars
};

/// Butterflies in normal form, of one instruction whose two trips of level 0 are the outputs, or of two instructions in
/// place but for the lower output: the host runs some of them as one block.
struct NormalButterflies {
  u32 runs = 1;             // that make a block
  u32 count = 1;            // butterflies of a block
  CalStrides lower, upper;  // from one butterfly to the next, of either output
};

struct SegmentProgram {
  Unit unit = Unit::load;
  u8 scope = 1;
  u8 tag = 0;
  std::array<Stream, streams_per_segment> streams{};  // PE register already added to the base
  StreamBases first{};                                // bases in the first instance, without launch and rotation
  std::vector<Transfer> transfers;                    // Load, Store, Flow: in issue order
  bool consecutive = false;                           // their operand-memory vectors lie one behind the other
  std::vector<CalRun> runs;                           // Cal: in issue order
  std::vector<CalStrides> strides;                    // Cal: per instruction of the segment
  u32 repeat = 1;                                     // Cal: trips of level 0
  std::optional<MacBlock> mac_block;
  bool butterflies = false;          // Cal: every four runs are the real butterfly, in place
  bool complex_butterflies = false;  // Cal: every eight runs are the complex one, in place
  bool ratio_butterflies = false;    // Cal: every six runs are the complex one by ratios, in place
  std::optional<NormalButterflies> normal_butterflies;
  std::vector<Bound> bounds;
  std::vector<u32> in_edges, out_edges;  // indices into edges
};

struct EdgeProgram {
  u32 from = 0, to = 0;
  u8 peer_mask = 0;
  u8 initial = 0;
  EdgeKind kind = EdgeKind::data;
  u8 scope = 0;        // the outer of the two scopes
  bool rides = false;  // its token travels with the last vector that the Flow segment sends to that peer
};

struct PeProgram {
  std::vector<SegmentProgram> segments;
  std::vector<EdgeProgram> edges;
  FirstIteration start{};
  std::array<u32, instance_levels> step{};
  u32 pe_rows = 0, pe_columns = 0;
};

/// @param kernel  checked by Kernel::check
/// @param pe      index within the kernel's array
[[nodiscard]] PeProgram make_program(const Kernel& kernel, u32 pe);
// The part of a program in which a PE differs from the others that run the same kernel.
[[nodiscard]] FirstIteration first_iteration(const Kernel& kernel, u32 pe);
/// The SegmentProgram::first of a PE that begins at this iteration.
[[nodiscard]] StreamBases first_bases(const Kernel& kernel, const Segment& segment, u32 pe,
                                      const FirstIteration& iteration);

}  // namespace bvp
