// SPDX-License-Identifier: Apache-2.0
// Builds a kernel: allocates operand memory, shares equal code, turns loops into trips.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "models/isa/kernel.h"
#include "platform/compiler/target.h"

namespace bvp {

/// A loop over trips: how often, and what each of the four streams advances.
struct Loop {
  u32 count = 1;
  std::array<i32, streams_per_segment> stride{};
};

class KernelBuilder {
 public:
  /// @param rows, columns  powers of two within the target's array
  KernelBuilder(const CompilerTarget& target, u32 rows, u32 columns);

  [[nodiscard]] u32 pes() const { return kernel_.pe_rows * kernel_.pe_columns; }
  [[nodiscard]] const CompilerTarget& target() const { return target_; }

  /// Throws CompileError if the operand memory (the accumulators) is full. Returns the first vector.
  u32 allocate_vectors(u32 count);
  u32 allocate_accumulators(u32 count);
  [[nodiscard]] u32 free_vectors() const { return target_.operand_vectors - vectors_; }

  /// Adds a value that differs from PE to PE: sets stream.pe_register, or adds the value to the base if it is equal on
  /// all PEs.
  void add_pe_value(Stream& stream, const std::function<i32(u32 pe)>& value);
  /// PEs share out the iterations of a level: PE p starts at start(p) and steps by `step`.
  void distribute(unsigned level, const std::function<i32(u32 pe)>& start, u32 step);

  /// Turns `loops`, innermost first, into trips. Loops of one trip vanish. Neighbouring loops that continue each other
  /// are merged, except that the innermost one stays trip level 0 as given.
  u16 add(Unit unit, unsigned scope, unsigned tag, const std::vector<Instruction>& code,
          const std::array<Stream, streams_per_segment>& streams, const std::vector<Loop>& loops);
  void edge(u16 from, u16 to, EdgeKind kind, unsigned initial = 0, unsigned peer_mask = 0);
  /// `to` reads what `from` has made.
  void data(u16 from, u16 to) { edge(from, to, EdgeKind::data); }
  /// `writer` writes where `reader` has read; it may do so `ahead` times before `reader` has read at all.
  void space(u16 reader, u16 writer, unsigned ahead = 0) { edge(reader, writer, EdgeKind::space, ahead); }

  /// Throws CompileError if the result does not fit the target.
  [[nodiscard]] Kernel finish();

 private:
  /// The new number of each stream of a segment.
  using StreamOrder = std::array<u8, streams_per_segment>;
  static std::vector<u64> encode(const std::vector<Instruction>& code, const StreamOrder& order);
  /// Finds the code among that of earlier segments, with any numbers of its streams, or adds it. Returns its first
  /// instruction; the segment's streams get their numbers.
  u16 place(Segment& segment, const std::vector<Instruction>& code);
  u8 pe_register(const std::vector<i32>& values);

  const CompilerTarget& target_;
  Kernel kernel_;
  u32 vectors_ = 0, accumulators_ = 0;
};

/// A stream at a fixed place.
inline Stream stream_at(i32 base) {
  Stream stream;
  stream.base = base;
  return stream;
}

}  // namespace bvp
