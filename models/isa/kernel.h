// SPDX-License-Identifier: Apache-2.0
// A kernel: the program of the whole PE array for one operator, and its binary image.
//
// All PEs run the same segments; what differs from PE to PE (positions in a tensor, which half to send) are
// the PE registers. A segment is the code of one unit in one block (Load, Cal, Flow or Store of a node of the
// dataflow graph); it fires once per instance when every edge that ends at it has a token, and puts a token
// on every edge that starts at it when it is done.
//
// Instances are counted by up to four loop levels, level 0 outermost; their counts come with the launch
// command. A segment of scope s fires once per iteration of the levels 0..s-1; scope 0 fires once per launch
// (weights), and not at all in a launch that keeps the resident weights. An edge between segments of scopes
// s and t carries one token per iteration of the outer of the two scopes.
//
// Within a firing a nest of up to six trip levels runs over the segment's instructions: trip level 0 is
// innermost and is run per instruction (instruction 0 for all trips of level 0, then instruction 1, ...), the
// other levels repeat the whole sequence.
#pragma once

#include <array>
#include <stdexcept>
#include <string>
#include <vector>

#include "models/base/types.h"
#include "models/isa/instruction.h"

namespace bvp {

inline constexpr std::size_t instance_levels = 4;
inline constexpr std::size_t trip_levels = 6;
inline constexpr std::size_t streams_per_segment = 4;
inline constexpr std::size_t pe_register_limit = 31;
inline constexpr std::size_t launch_register_limit = 16;
inline constexpr std::size_t segments_per_unit_limit = 64;

/// An affine address: base + PE register + launch register + rotation + trips + instance indices. Units are
/// those of the operand's space (vectors, scalars, bytes, accumulators).
struct Stream {
  i32 base = 0;
  u8 pe_register = 0;      // 0: none; otherwise PE register pe_register - 1 is added
  u8 launch_register = 0;  // 0: none; otherwise launch register launch_register - 1 is added
  /// The number of iterations of scope `rotation_scope` (1..4) begun so far, modulo depth, times the stride.
  u8 rotation_scope = 0;  // 0: none
  u8 rotation_depth = 0;
  i32 rotation_stride = 0;
  std::array<i32, trip_levels> trip_stride{};
  std::array<i32, instance_levels> instance_stride{};
};

struct Segment {
  Unit unit = Unit::load;
  u8 scope = 1;
  u8 tag = 0;  // layer of the block: of the ready segments of a unit, the one with the smallest tag goes first
  u16 first_instruction = 0;
  u8 instruction_count = 0;
  std::array<u16, trip_levels> trips{1, 1, 1, 1, 1, 1};
  std::array<Stream, streams_per_segment> streams{};
};

enum class EdgeKind : u8 { data, space };

struct Edge {
  u16 from = 0;  // segment indices
  u16 to = 0;
  u8 peer_mask = 0;  // the consumer is the same segment index on PE (own index ^ peer_mask)
  u8 initial = 0;    // tokens present when the kernel is configured
  EdgeKind kind = EdgeKind::data;
};

struct InstanceLevel {
  u8 start_register = 0;  // 0: starts at 0, otherwise at PE register start_register - 1
  u16 step = 1;
};

/// Requirements of a kernel on the machine that runs it.
struct KernelLimits {
  u32 lanes = 0;
  u32 rows = 0, columns = 0;
  u32 operand_vectors = 0;
  u32 accumulators = 0;
  u32 instructions = 0;
  bool swapping_fma = true;  // there are fmar and fnmar
};

/// The part of a kernel that an error is about.
struct KernelPart {
  enum class Kind : u8 { whole, level, segment, instruction, stream, edge };
  Kind kind = Kind::whole;
  std::size_t index = 0;  ///< of the level, segment or edge; instructions and streams: of their segment
  std::size_t item = 0;   ///< of the instruction or stream in its segment
};

struct KernelError : std::runtime_error {
  explicit KernelError(const std::string& message, KernelPart about = {}) : std::runtime_error(message), part(about) {}
  KernelPart part;
};

/// Thrown if a stream steps over more bytes than an image can express.
struct ReachError : KernelError {
  using KernelError::KernelError;
};

struct Kernel {
  u32 lanes = 0;
  u32 pe_rows = 0, pe_columns = 0;  // powers of two; PE index = y * pe_columns + x
  u32 resident_words = 0;           // 64-bit words of weights that a resident launch need not load; for reports
  std::array<InstanceLevel, instance_levels> levels{};
  std::vector<u64> code;
  std::vector<Segment> segments;
  std::vector<Edge> edges;
  std::vector<std::vector<i32>> pe_registers;  // [PE][register], all of the same length

  /// Little-endian image, starting with an ImageHeader.
  [[nodiscard]] std::vector<u8> encode() const;
  /// Throws KernelError naming what is wrong; never reads outside of the bytes given.
  [[nodiscard]] static Kernel decode(const u8* bytes, std::size_t size);
  /// Checks everything that a PE relies on: indices are within range, and limits are kept. Throws KernelError.
  void check(const KernelLimits& limits) const;
  [[nodiscard]] std::string disassemble() const;
};

}  // namespace bvp
