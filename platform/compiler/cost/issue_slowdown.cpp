// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/cost/issue_slowdown.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace bvp {

namespace {

/// The ports of all banks in the cycles that are still to come.
class PortUse {
 public:
  explicit PortUse(const CompilerTarget& target)
      : banks_(std::max(1u, target.operand_banks)),
        ports_(std::max(1u, target.operand_ports)),
        hash_(target.operand_bank_hash),
        used_(std::size_t{banks_} * cycles, 0) {}

  /// The first cycle from `earliest` on in which the vector's bank has a port left, which is taken.
  u64 take(i64 vector, u64 earliest) {
    u64 cycle = earliest;
    const u32 bank = bank_of(vector);
    while (at(bank, cycle) >= ports_) ++cycle;
    ++at(bank, cycle);
    return cycle;
  }
  /// The cycles before this one are over.
  void advance(u64 cycle) {
    for (; now_ < cycle; ++now_) {
      for (u32 bank = 0; bank < banks_; ++bank) at(bank, now_) = 0;
    }
  }

 private:
  static constexpr u64 cycles = 256;  // more than a latency and the waits of one instruction
  [[nodiscard]] u32 bank_of(i64 vector) const {
    auto rest = static_cast<u64>(vector);
    u64 bank = rest % banks_;
    for (rest /= banks_; hash_ && banks_ > 1 && rest != 0; rest /= banks_) bank ^= rest % banks_;
    return static_cast<u32>(bank);
  }
  u8& at(u32 bank, u64 cycle) { return used_[bank * cycles + cycle % cycles]; }

  u32 banks_, ports_;
  bool hash_;
  u64 now_ = 0;
  std::vector<u8> used_;
};

using Offsets = std::array<i64, streams_per_segment>;

/// Issues the segment's instructions one after the other until there are enough.
class Issues {
 public:
  Issues(const CompilerTarget& target, const Kernel& kernel, const Segment& segment)
      : lanes_(target.lanes), timing_(target.cal), segment_(segment), ports_(target) {
    const auto& registers = kernel.pe_registers.front();
    for (std::size_t s = 0; s < streams_per_segment; ++s) {
      const Stream& stream = segment.streams[s];
      base_[s] = stream.base + (stream.pe_register == 0 ? 0 : registers[stream.pe_register - 1u]);
    }
  }

  [[nodiscard]] bool enough() const { return issued_ >= sample; }

  /// All trips of level 0, of each instruction in turn.
  void trip(const std::vector<Instruction>& code, const Offsets& offset) {
    for (const Instruction& instruction : code) {
      const InstructionInfo& info = instruction_info(instruction.opcode);
      for (u32 trip = 0; trip < segment_.trips[0] && !enough(); ++trip) issue(info, instruction, offset, trip);
    }
  }

  [[nodiscard]] double slowdown() const {
    return ideal_ == 0 ? 1 : static_cast<double>(next_) / static_cast<double>(ideal_);
  }

 private:
  static constexpr u64 sample = 96;

  [[nodiscard]] i64 vector_of(Space space, const Operand& operand, const Offsets& offset, u32 trip) const {
    const std::size_t s = operand.stream;
    const i64 place = base_[s] + offset[s] + i64{segment_.streams[s].trip_stride[0]} * trip + operand.offset;
    return space == Space::scalar ? place / lanes_ : place;
  }

  void issue(const InstructionInfo& info, const Instruction& instruction, const Offsets& offset, u32 trip) {
    ports_.advance(next_);
    std::array<i64, 3> read{};
    std::size_t count = 0;
    u64 cycle = next_;
    const auto add = [&](Space space, const Operand& operand) {
      if (space != Space::vector && space != Space::scalar) return;
      const i64 vector = vector_of(space, operand, offset, trip);
      if (std::find(read.begin(), read.begin() + count, vector) != read.begin() + count) return;
      read[count++] = vector;
      cycle = std::max(cycle, ports_.take(vector, next_));
    };
    add(info.a, instruction.a);
    add(info.b, instruction.b);
    add(info.c, instruction.c);
    if (info.d == Space::vector) {
      const u64 way = timing_.latency(info.timing) - 1;
      cycle = std::max(cycle, ports_.take(vector_of(info.d, instruction.d, offset, trip), cycle + way) - way);
    }
    const u64 slots = timing_.slots(info.timing);
    next_ = cycle + slots;
    ideal_ += slots;
    ++issued_;
  }

  const i64 lanes_;
  const CalTiming& timing_;
  const Segment& segment_;
  PortUse ports_;
  Offsets base_{};
  u64 next_ = 0, ideal_ = 0, issued_ = 0;
};

}  // namespace

double issue_slowdown(const CompilerTarget& target, const Kernel& kernel, const Segment& segment,
                      const std::vector<Instruction>& code) {
  if (kernel.pe_registers.empty() || code.empty()) return 1;
  Issues issues(target, kernel, segment);
  // The trips of the outer levels, the lower ones fastest.
  std::array<u32, trip_levels> trip{};
  while (!issues.enough()) {
    Offsets offset{};
    for (std::size_t level = 1; level < trip_levels; ++level) {
      for (std::size_t s = 0; s < streams_per_segment; ++s) {
        offset[s] += i64{segment.streams[s].trip_stride[level]} * trip[level];
      }
    }
    issues.trip(code, offset);
    std::size_t level = 1;
    while (level < trip_levels && ++trip[level] >= segment.trips[level]) trip[level++] = 0;
    if (level == trip_levels) break;
  }
  return issues.slowdown();
}

}  // namespace bvp
