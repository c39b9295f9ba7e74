// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/segment_builder.h"

namespace bvp {

SegmentBuilder::SegmentBuilder(KernelBuilder& builder, Unit unit, unsigned scope, unsigned tag,
                               const std::vector<u32>& trips)
    : builder_(builder), unit_(unit), scope_(scope), tag_(tag) {
  for (const u32 count : trips) loops_.push_back({count, {}});
}

SegmentOperand SegmentBuilder::at(const Walk& walk) {
  streams_.at(used_streams_) = walk.stream;
  for (std::size_t loop = 0; loop < walk.strides.size(); ++loop) {
    loops_.at(loop).stride[used_streams_] = walk.strides[loop];
  }
  return {{used_streams_++, 0}};
}

void SegmentBuilder::append(const InstructionInfo& info, std::initializer_list<SegmentOperand> operands) {
  Instruction instruction;
  instruction.opcode = info.opcode;
  const SegmentOperand* next = operands.begin();
  const auto take = [&](Space space, Operand& field) {
    if (space == Space::none) return;
    field = next->field;
    ++next;
  };
  take(info.d, instruction.d);
  take(info.a, instruction.a);
  take(info.b, instruction.b);
  take(info.c, instruction.c);
  code_.push_back(instruction);
}

u16 SegmentBuilder::finish() { return builder_.add(unit_, scope_, tag_, code_, streams_, loops_); }

void add_scaled_residual(SegmentBuilder& segment, SegmentOperand y, SegmentOperand x, SegmentOperand factor,
                         const ResidualFactor& scaled) {
  if (scaled.of_residual) {
    segment.fmas(y, x, factor, y);
  } else {
    segment.fmas(y, y, factor, x);
  }
}

u16 add_load(KernelBuilder& builder, unsigned scope, unsigned tag, const std::vector<u32>& trips, const Walk& vectors,
             const Walk& scratchpad) {
  SegmentBuilder segment(builder, Unit::load, scope, tag, trips);
  const SegmentOperand to = segment.at(vectors);
  segment.ld(to, segment.at(scratchpad));
  return segment.finish();
}

u16 add_store(KernelBuilder& builder, unsigned scope, unsigned tag, const std::vector<u32>& trips, const Walk& vectors,
              const Walk& scratchpad) {
  SegmentBuilder segment(builder, Unit::store, scope, tag, trips);
  const SegmentOperand from = segment.at(vectors);
  segment.st(segment.at(scratchpad), from);
  return segment.finish();
}

}  // namespace bvp
