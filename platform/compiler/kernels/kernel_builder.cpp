// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/kernel_builder.h"

#include <fmt/format.h>

#include <algorithm>

namespace bvp {

KernelBuilder::KernelBuilder(const CompilerTarget& target, u32 rows, u32 columns) : target_(target) {
  kernel_.lanes = target.lanes;
  kernel_.pe_rows = rows;
  kernel_.pe_columns = columns;
  kernel_.pe_registers.resize(std::size_t{rows} * columns);
}

u32 KernelBuilder::allocate_vectors(u32 count) {
  if (count > free_vectors()) {
    throw CompileError(
        fmt::format("the operand memory of {} vectors is too small: {} more are needed where {} are free "
                    "(raise soc.pe.operand_vectors)",
                    target_.operand_vectors, count, free_vectors()));
  }
  vectors_ += count;
  return vectors_ - count;
}

u32 KernelBuilder::allocate_accumulators(u32 count) {
  if (accumulators_ + count > target_.accumulators) {
    throw CompileError(fmt::format("{} accumulators are needed, a PE has {} (raise soc.pe.accumulators)",
                                   accumulators_ + count, target_.accumulators));
  }
  accumulators_ += count;
  return accumulators_ - count;
}

u8 KernelBuilder::pe_register(const std::vector<i32>& values) {
  const std::size_t used = kernel_.pe_registers.front().size();
  for (std::size_t i = 0; i < used; ++i) {
    bool equal = true;
    for (u32 pe = 0; pe < pes(); ++pe) equal = equal && kernel_.pe_registers[pe][i] == values[pe];
    if (equal) return static_cast<u8>(i + 1);
  }
  if (used == pe_register_limit) throw CompileError("the kernel needs more PE registers than there are");
  for (u32 pe = 0; pe < pes(); ++pe) kernel_.pe_registers[pe].push_back(values[pe]);
  return static_cast<u8>(used + 1);
}

void KernelBuilder::add_pe_value(Stream& stream, const std::function<i32(u32)>& value) {
  std::vector<i32> values(pes());
  for (u32 pe = 0; pe < pes(); ++pe) values[pe] = value(pe);
  if (std::all_of(values.begin(), values.end(), [&](i32 v) { return v == values.front(); })) {
    stream.base += values.front();
  } else {
    stream.pe_register = pe_register(values);
  }
}

void KernelBuilder::distribute(unsigned level, const std::function<i32(u32)>& start, u32 step) {
  if (step == 1) return;
  std::vector<i32> values(pes());
  for (u32 pe = 0; pe < pes(); ++pe) values[pe] = start(pe);
  kernel_.levels[level] = {pe_register(values), static_cast<u16>(step)};
}

std::vector<u64> KernelBuilder::encode(const std::vector<Instruction>& code, const StreamOrder& order) {
  std::vector<u64> words;
  for (Instruction instruction : code) {
    const InstructionInfo& info = instruction_info(instruction.opcode);
    const auto renumber = [&](Space space, Operand& operand) {
      if (space != Space::none && !is_immediate(space)) operand.stream = order[operand.stream];
    };
    renumber(info.d, instruction.d);
    renumber(info.a, instruction.a);
    renumber(info.b, instruction.b);
    renumber(info.c, instruction.c);
    words.push_back(instruction.encode());
  }
  return words;
}

u16 KernelBuilder::place(Segment& segment, const std::vector<Instruction>& code) {
  StreamOrder order{0, 1, 2, 3};
  do {
    const std::vector<u64> words = encode(code, order);
    const auto found = std::search(kernel_.code.begin(), kernel_.code.end(), words.begin(), words.end());
    if (found == kernel_.code.end()) continue;
    const auto streams = segment.streams;
    for (std::size_t stream = 0; stream < streams.size(); ++stream) segment.streams[order[stream]] = streams[stream];
    return static_cast<u16>(found - kernel_.code.begin());
  } while (std::next_permutation(order.begin(), order.end()));
  const std::vector<u64> words = encode(code, {0, 1, 2, 3});
  kernel_.code.insert(kernel_.code.end(), words.begin(), words.end());
  return static_cast<u16>(kernel_.code.size() - words.size());
}

u16 KernelBuilder::add(Unit unit, unsigned scope, unsigned tag, const std::vector<Instruction>& code,
                       const std::array<Stream, streams_per_segment>& streams, const std::vector<Loop>& loops) {
  std::vector<Loop> merged;
  for (const Loop& loop : loops) {
    if (loop.count == 1) continue;
    if (merged.size() > 1) {
      Loop& inner = merged.back();
      bool continues = true;
      for (std::size_t s = 0; s < streams_per_segment; ++s) {
        continues = continues && loop.stride[s] == inner.stride[s] * static_cast<i32>(inner.count);
      }
      if (continues) {
        inner.count *= loop.count;
        continue;
      }
    }
    merged.push_back(loop);
  }
  if (merged.size() > trip_levels) throw MappingError("a segment needs more trip levels than there are");
  Segment segment;
  segment.unit = unit;
  segment.scope = static_cast<u8>(scope);
  segment.tag = static_cast<u8>(tag);
  segment.streams = streams;
  for (std::size_t level = 0; level < merged.size(); ++level) {
    segment.trips[level] = static_cast<u16>(merged[level].count);
    for (std::size_t s = 0; s < streams_per_segment; ++s) {
      segment.streams[s].trip_stride[level] = merged[level].stride[s];
    }
  }
  segment.first_instruction = place(segment, code);
  segment.instruction_count = static_cast<u8>(code.size());
  kernel_.segments.push_back(segment);
  return static_cast<u16>(kernel_.segments.size() - 1);
}

void KernelBuilder::edge(u16 from, u16 to, EdgeKind kind, unsigned initial, unsigned peer_mask) {
  Edge edge;
  edge.from = from;
  edge.to = to;
  edge.kind = kind;
  edge.initial = static_cast<u8>(initial);
  edge.peer_mask = static_cast<u8>(peer_mask);
  kernel_.edges.push_back(edge);
}

Kernel KernelBuilder::finish() {
  if (kernel_.code.size() > target_.instruction_store) {
    throw CompileError(
        fmt::format("{} instructions are needed, the store of a PE has {} (raise "
                    "soc.pe.instruction_store)",
                    kernel_.code.size(), target_.instruction_store));
  }
  try {
    kernel_.check({target_.lanes, target_.rows, target_.columns, target_.operand_vectors, target_.accumulators,
                   target_.instruction_store, target_.swapping_fma});
  } catch (const ReachError& error) {
    throw CompileError(fmt::format(
        "a matrix is larger than the 512 MiB that a kernel can step over ({}); expected a smaller network.hidden, "
        "network.ffn, network.tokens, network.batch or network.vocabulary",
        error.what()));
  } catch (const KernelError& error) {
    throw CompileError(fmt::format("{} (array or PE too small?)", error.what()));
  }
  return std::move(kernel_);
}

}  // namespace bvp
