// SPDX-License-Identifier: Apache-2.0
#include "models/pe/cal_unit.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <vector>

namespace bvp {

namespace {

i64 at(const Access& access, const StreamBases& bases) { return bases[access.stream] + access.offset; }

/// The scalars of a run in the form in which the host's functions take them: in place, or gathered into a buffer where
/// the vectors are shorter than the host's pitch.
class ScalarView {
 public:
  ScalarView(const OperandMemory& memory, i64 first, i64 stride, u64 count) {
    if (memory.pitch() == memory.lanes()) {
      view_ = {memory.vector(0) + first, stride};
      return;
    }
    gathered_.reserve(count);
    for (u64 i = 0; i < count; ++i) gathered_.push_back(memory.scalar(first + static_cast<i64>(i) * stride));
    view_ = {gathered_.data(), 1};
  }
  [[nodiscard]] const LaneScalars& get() const { return view_; }
  operator const LaneScalars&() const { return view_; }  // NOLINT(google-explicit-constructor): an argument of Lanes

 private:
  std::vector<u16> gathered_;
  LaneScalars view_;
};

/// The vectors that an instruction reads, each once.
class VectorSet {
 public:
  void add(i64 vector) {
    const auto end = vectors_.begin() + static_cast<std::ptrdiff_t>(count_);
    if (std::find(vectors_.begin(), end, vector) == end) vectors_[count_++] = vector;
  }
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] i64 operator[](std::size_t i) const { return vectors_[i]; }

 private:
  std::array<i64, 4> vectors_{};
  std::size_t count_ = 0;
};

/// Instructions by what a lane of them is priced as.
void count_lanes(CalSchedule& schedule, EnergyClass energy, u64 count) {
  switch (energy) {
    case EnergyClass::none:
      break;
    case EnergyClass::multiply:
      schedule.multiplies += count;
      break;
    case EnergyClass::add:
      schedule.adds += count;
      break;
    case EnergyClass::fma:
      schedule.fused += count;
      break;
    case EnergyClass::special:
      schedule.specials += count;
      break;
    case EnergyClass::wide_special:
      schedule.wide_specials += count;
      break;
    case EnergyClass::accumulate:
      schedule.accumulates += count;
      break;
    case EnergyClass::shuffle:
      schedule.shuffles += count;
      break;
  }
}

/// A run of one instruction on the operand memory, for functions of Lanes.
class Run {
 public:
  Run(const Lanes& lanes, u64 count, const CalRun& run, const CalStrides& strides, const StreamBases& bases,
      OperandMemory& memory)
      : lanes_(lanes), count_(count), run_(run), strides_(strides), bases_(bases), memory_(memory) {}

  /// Calls the function with d, a, b and c, without those whose space is `none`.
  template <Space d, Space a, Space b, Space c, class Function>
  void apply(Function function) const {
    std::apply([&](const auto&... arguments) { (lanes_.*function)(count_, arguments...); },
               std::tuple_cat(result<d>(), operand<a>(run_.a, strides_.a), operand<b>(run_.b, strides_.b),
                              operand<c>(run_.c, strides_.c)));
  }

 private:
  template <Space space>
  [[nodiscard]] auto result() const {
    if constexpr (space == Space::accumulator) {
      return operand<space>(run_.d, strides_.d);
    } else {
      static_assert(space == Space::vector);
      return std::tuple(LaneVectors{memory_.vector(at(run_.d, bases_)), strides_.d});
    }
  }

  template <Space space>
  [[nodiscard]] auto operand(const Access& access, i64 stride) const {
    if constexpr (space == Space::none) {
      return std::tuple<>();
    } else if constexpr (space == Space::vector) {
      return std::tuple(ConstLaneVectors{memory_.vector(at(access, bases_)), stride});
    } else if constexpr (space == Space::scalar) {
      return std::tuple(ScalarView(memory_, at(access, bases_), stride, count_));
    } else if constexpr (space == Space::accumulator) {
      return std::tuple(LaneAccumulators{memory_.accumulator(at(access, bases_)), stride});
    } else {
      static_assert(space == Space::distance);
      return std::tuple(static_cast<u32>(access.offset));
    }
  }

  const Lanes& lanes_;
  u64 count_;
  const CalRun& run_;
  const CalStrides& strides_;
  const StreamBases& bases_;
  OperandMemory& memory_;
};

}  // namespace

CalUnit::CalUnit(const PeParameters& parameters, u32 lanes)
    : lane_count_(lanes),
      lanes_(lanes, (lanes + 15) / 16 * 16),
      timing_(cal_timing(parameters, lanes)),
      banks_(parameters) {}

namespace {

void finish(CalSchedule& schedule, const IssueSchedule& issues, const OperandBanks& banks) {
  schedule.issue = issues.issued();
  schedule.occupancy = issues.occupancy();
  schedule.completion = issues.completion();
  schedule.ports.shrink();
  if (schedule.occupancy == 0) return;
  schedule.full_banks =
      static_cast<double>(schedule.ports.full()) / static_cast<double>(u64{banks.banks()} * schedule.occupancy);
}

}  // namespace

CalSchedule CalUnit::schedule(const SegmentProgram& segment, const StreamBases& bases) const {
  CalSchedule schedule(banks_);
  PortPattern& ports = schedule.ports;
  IssueSchedule issues(timing_);
  const i64 lanes = static_cast<i64>(lane_count_);
  for (std::size_t i = 0; i < segment.runs.size(); ++i) {
    const CalRun& run = segment.runs[i];
    const CalStrides& strides = segment.strides[i % segment.strides.size()];
    const InstructionInfo& info = instruction_info(run.opcode);
    const bool reads_destination = adds_to_destination(info);
    for (i64 trip = 0; trip < segment.repeat; ++trip) {
      VectorSet vectors;
      const auto read = [&](Space space, const Access& access, i64 stride) {
        if (space == Space::none || is_immediate(space)) return;
        i64 address = at(access, bases) + trip * stride;
        if (space == Space::scalar) {
          // The vector that holds the scalar is read.
          space = Space::vector;
          address /= lanes;
          ++schedule.scalar_reads;
        } else if (space == Space::vector) {
          ++schedule.vector_reads;
        }
        issues.read({space, address});
        if (space == Space::vector) vectors.add(address);
      };
      read(info.a, run.a, strides.a);
      read(info.b, run.b, strides.b);
      read(info.c, run.c, strides.c);
      if (reads_destination) read(info.d, run.d, strides.d);
      u64 issue = issues.ready();
      for (std::size_t v = 0; v < vectors.count(); ++v) {
        const u32 bank = banks_.bank_of(vectors[v]);
        const u64 cycle = ports.first_free(bank, issues.ready());
        ports.use(bank, cycle);
        issue = std::max(issue, cycle);
      }
      const i64 destination = at(run.d, bases) + trip * strides.d;
      if (info.d == Space::vector) {
        const u64 last = timing_.latency(info.timing) - 1;  // from the issue to the cycle that writes the result
        const u32 bank = banks_.bank_of(destination);
        issue = ports.first_free(bank, issue + last) - last;
        ports.use(bank, issue + last);
        ++schedule.vector_writes;
      }
      schedule.latency += issues.issue(info.timing, {info.d, destination}, issue);
      schedule.special += timing_.slots(info.timing) - 1;
    }
    schedule.operations += u64{segment.repeat} * info.operations;
    count_lanes(schedule, info.energy, segment.repeat);
  }
  finish(schedule, issues, banks_);
  return schedule;
}

// This function is long because it has a case for each block of instructions that Lanes computes as a whole.
void CalUnit::execute(const SegmentProgram& segment, const StreamBases& bases, OperandMemory& memory) const {
  const auto vectors = [&](const Access& access, i64 stride) {
    return LaneVectors{memory.vector(at(access, bases)), stride};
  };
  const auto constant = [&](const Access& access, i64 stride) {
    return ConstLaneVectors{memory.vector(at(access, bases)), stride};
  };
  if (segment.mac_block && memory.pitch() == memory.lanes()) {
    const CalRun& run = segment.runs.front();
    lanes_.acc_mac_block(
        segment.repeat, segment.runs.size(), {memory.accumulator(at(run.d, bases)), segment.strides.front().d},
        {memory.vector(at(run.a, bases)), segment.mac_block->term_stride}, memory.vector(0) + at(run.b, bases),
        segment.strides.front().b, segment.mac_block->weight_stride);
    return;
  }
  if (segment.butterflies) {
    const auto& strides = segment.strides;
    for (std::size_t i = 0; i < segment.runs.size(); i += 4) {
      const CalRun* run = &segment.runs[i];
      const ScalarView w00(memory, at(run[0].b, bases), strides[0].b, segment.repeat);
      const ScalarView w10(memory, at(run[1].b, bases), strides[1].b, segment.repeat);
      const ScalarView w01(memory, at(run[2].b, bases), strides[2].b, segment.repeat);
      const ScalarView w11(memory, at(run[3].b, bases), strides[3].b, segment.repeat);
      lanes_.butterfly(segment.repeat, vectors(run[0].a, strides[0].a), vectors(run[2].a, strides[2].a), w00.get(),
                       w01.get(), w10.get(), w11.get());
    }
    return;
  }
  if (segment.complex_butterflies) {
    const auto& strides = segment.strides;
    for (std::size_t i = 0; i < segment.runs.size(); i += 8) {
      const CalRun* run = &segment.runs[i];
      const ScalarView w_re(memory, at(run[0].b, bases), strides[0].b, segment.repeat);
      const ScalarView w_im(memory, at(run[2].b, bases), strides[2].b, segment.repeat);
      lanes_.complex_butterfly(segment.repeat, vectors(run[6].d, strides[6].d), vectors(run[7].d, strides[7].d),
                               vectors(run[4].d, strides[4].d), vectors(run[5].d, strides[5].d), w_re.get(),
                               w_im.get());
    }
    return;
  }
  if (segment.ratio_butterflies) {
    const auto& strides = segment.strides;
    for (std::size_t i = 0; i < segment.runs.size(); i += 6) {
      const CalRun* run = &segment.runs[i];
      const ScalarView ratio(memory, at(run[0].c, bases), strides[0].c, segment.repeat);
      const ScalarView large(memory, at(run[2].b, bases), strides[2].b, segment.repeat);
      lanes_.ratio_butterfly(segment.repeat, vectors(run[4].d, strides[4].d), vectors(run[5].d, strides[5].d),
                             vectors(run[2].d, strides[2].d), vectors(run[3].d, strides[3].d), ratio.get(),
                             large.get());
    }
    return;
  }
  if (const auto& normal = segment.normal_butterflies) {
    for (std::size_t i = 0; i < segment.runs.size(); i += normal->runs) {
      const CalRun& low = segment.runs[i];
      CalRun high = low;
      if (segment.strides.size() == 2) {
        high = segment.runs[i + 1];
      } else {
        high.d.offset += segment.strides[0].d;
        high.c.offset += segment.strides[0].c;
      }
      const ScalarView r_low(memory, at(low.c, bases), normal->lower.c, normal->count);
      const ScalarView r_high(memory, at(high.c, bases), normal->upper.c, normal->count);
      lanes_.normal_butterfly(normal->count, vectors(low.d, normal->lower.d), vectors(high.d, normal->upper.d),
                              constant(low.a, normal->lower.a), constant(low.b, normal->lower.b), r_low.get(),
                              r_high.get());
    }
    return;
  }
  for (std::size_t i = 0; i < segment.runs.size(); ++i) {
    execute_run(segment.runs[i], segment.strides[i % segment.strides.size()], segment.repeat, bases, memory);
  }
}

void CalUnit::execute_run(const CalRun& run, const CalStrides& strides, u64 count, const StreamBases& bases,
                          OperandMemory& memory) const {
  const Run on_memory(lanes_, count, run, strides, bases, memory);
// Kernel::check refuses the instructions of other units in a Cal segment.
#define BVP_EXECUTE_load(...) break
#define BVP_EXECUTE_flow(...) break
#define BVP_EXECUTE_store(...) break
#define BVP_EXECUTE_cal(function, d, a, b, c)                                \
  on_memory.apply<Space::d, Space::a, Space::b, Space::c>(&Lanes::function); \
  break
#define BVP_INSTRUCTION(name, opcode, unit, timing, energy, d, a, b, c, operations, function, meaning) \
  case Opcode::name:                                                                                   \
    BVP_EXECUTE_##unit(function, d, a, b, c);
  switch (run.opcode) {
#include "models/isa/instructions.def"
  }
#undef BVP_EXECUTE_load
#undef BVP_EXECUTE_flow
#undef BVP_EXECUTE_store
#undef BVP_EXECUTE_cal
}

}  // namespace bvp
