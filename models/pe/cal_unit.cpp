// SPDX-License-Identifier: Apache-2.0
#include "models/pe/cal_unit.h"

#include <algorithm>
#include <utility>

namespace bvp {

namespace {

i64 at(const Access& access, const StreamBases& bases) { return bases[access.stream] + access.offset; }

/// Scalars of a run as the host wants them: in place, or gathered where vectors are shorter than the host's pitch.
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

 private:
  std::vector<u16> gathered_;
  LaneScalars view_;
};

}  // namespace

CalUnit::CalUnit(const PeParameters& parameters, u32 lanes)
    : lane_count_(lanes),
      lanes_(lanes, (lanes + 15) / 16 * 16),
      cal_latency_(static_cast<u64>(parameters.cal_latency)),
      max_latency_(static_cast<u64>(parameters.max_latency)),
      special_latency_(static_cast<u64>(parameters.special_latency)),
      special_slots_(std::min<u64>(static_cast<u64>(parameters.special_divisor), lanes)),
      banks_(parameters) {}

u64 CalUnit::latency_of(Timing timing) const {
  switch (timing) {
    case Timing::maximum:
      return max_latency_;
    case Timing::special:
      return special_latency_ + special_slots_ - 1;
    default:
      return cal_latency_;
  }
}

u64 CalUnit::slots_of(Timing timing) const { return timing == Timing::special ? special_slots_ : 1; }

CalSchedule CalUnit::schedule(const SegmentProgram& segment, const StreamBases& bases) const {
  CalSchedule schedule(banks_);
  PortPattern& ports = schedule.ports;
  // Results in a pipeline: vectors and accumulators, and when they can be read.
  struct Result {
    Space space;
    i64 address;
    u64 done;
  };
  std::vector<Result> results;
  const i64 lanes = static_cast<i64>(lane_count_);
  u64 next = 0;
  for (std::size_t i = 0; i < segment.runs.size(); ++i) {
    const CalRun& run = segment.runs[i];
    const CalStrides& strides = segment.strides[i % segment.strides.size()];
    const InstructionInfo& info = instruction_info(run.opcode);
    const bool reads_destination = adds_to_destination(info);
    for (i64 trip = 0; trip < segment.repeat; ++trip) {
      u64 ready = next;  // all operands are there
      std::array<i64, 3> vectors{};
      std::size_t vector_count = 0;
      const auto need = [&](Space space, const Access& access, i64 stride) {
        if (space == Space::none || is_immediate(space)) return;
        i64 address = at(access, bases) + trip * stride;
        if (space == Space::scalar) {
          address /= lanes;
          space = Space::vector;
          ++schedule.scalar_reads;
        } else if (space == Space::vector) {
          ++schedule.vector_reads;
        }
        for (const Result& result : results) {
          if (result.address == address && result.space == space) ready = std::max(ready, result.done);
        }
        const auto end = vectors.begin() + static_cast<std::ptrdiff_t>(vector_count);
        if (space == Space::vector && std::find(vectors.begin(), end, address) == end)
          vectors[vector_count++] = address;
      };
      need(info.a, run.a, strides.a);
      need(info.b, run.b, strides.b);
      need(info.c, run.c, strides.c);
      if (reads_destination) need(info.d, run.d, strides.d);
      const i64 destination = at(run.d, bases) + trip * strides.d;
      const u64 slots = slots_of(info.timing), latency = latency_of(info.timing);
      u64 issue = ready;
      for (std::size_t v = 0; v < vector_count; ++v) {
        const u32 bank = banks_.bank_of(vectors[v]);
        const u64 cycle = ports.first_free(bank, ready);
        ports.use(bank, cycle);
        issue = std::max(issue, cycle);
      }
      if (info.d == Space::vector) {
        const u32 bank = banks_.bank_of(destination);
        issue = ports.first_free(bank, issue + latency - 1) + 1 - latency;
        ports.use(bank, issue + latency - 1);
        ++schedule.vector_writes;
      }
      const u64 done = issue + latency;
      const auto settled = [&](const Result& result) {
        return result.done <= issue || (result.space == info.d && result.address == destination);
      };
      results.erase(std::remove_if(results.begin(), results.end(), settled), results.end());
      results.push_back({info.d, destination, done});
      schedule.latency += issue - next;
      schedule.special += slots - 1;
      ++schedule.issue;
      next = issue + slots;
      schedule.completion = std::max(schedule.completion, done);
    }
    const u64 count = segment.repeat;
    schedule.operations += count * info.operations;
    if (reads_destination || run.opcode == Opcode::asub) {
      schedule.accumulates += count;
    } else if (info.timing == Timing::special) {
      (info.d == Space::accumulator ? schedule.wide_specials : schedule.specials) += count;
    } else if (info.operations == 2) {
      schedule.fused += count;
    } else if (run.opcode == Opcode::mul || run.opcode == Opcode::muls || run.opcode == Opcode::amul ||
               run.opcode == Opcode::amuls) {
      schedule.multiplies += count;
    } else if (info.c == Space::distance) {
      schedule.shuffles += count;
    } else if (info.operations == 1) {
      schedule.adds += count;
    }
  }
  schedule.occupancy = next;
  schedule.completion = std::max(schedule.completion, next);
  ports.shrink();
  return schedule;
}

void CalUnit::execute(const SegmentProgram& segment, const StreamBases& bases, OperandMemory& memory) const {
  const auto vectors = [&](const Access& access, i64 stride) {
    return LaneVectors{memory.vector(at(access, bases)), stride};
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
  for (std::size_t i = 0; i < segment.runs.size(); ++i) {
    execute_run(segment.runs[i], segment.strides[i % segment.strides.size()], segment.repeat, bases, memory);
  }
}

void CalUnit::execute_run(const CalRun& run, const CalStrides& strides, u64 count, const StreamBases& bases,
                          OperandMemory& memory) const {
  const auto d = [&] { return LaneVectors{memory.vector(at(run.d, bases)), strides.d}; };
  const auto vector = [&](const Access& access, i64 stride) {
    return ConstLaneVectors{memory.vector(at(access, bases)), stride};
  };
  const auto a = [&] { return vector(run.a, strides.a); };
  const auto b = [&] { return vector(run.b, strides.b); };
  const auto c = [&] { return vector(run.c, strides.c); };
  const auto sums = [&](const Access& access, i64 stride) {
    return LaneAccumulators{memory.accumulator(at(access, bases)), stride};
  };
  const auto scalars = [&](const Access& access, i64 stride) {
    return ScalarView(memory, at(access, bases), stride, count);
  };
  switch (run.opcode) {
    case Opcode::mul:
      lanes_.mul(count, d(), a(), b());
      break;
    case Opcode::muls:
      lanes_.mul_scalar(count, d(), a(), scalars(run.b, strides.b).get());
      break;
    case Opcode::fma:
      lanes_.fma(count, d(), a(), b(), c());
      break;
    case Opcode::fmas:
      lanes_.fma_scalar(count, d(), a(), scalars(run.b, strides.b).get(), c());
      break;
    case Opcode::fmass:
      lanes_.fma_scalar_scalar(count, d(), a(), scalars(run.b, strides.b).get(), scalars(run.c, strides.c).get());
      break;
    case Opcode::fnmas:
      lanes_.fnma_scalar(count, d(), a(), scalars(run.b, strides.b).get(), c());
      break;
    case Opcode::add:
      lanes_.add(count, d(), a(), b());
      break;
    case Opcode::adds:
      lanes_.add_scalar(count, d(), a(), scalars(run.b, strides.b).get());
      break;
    case Opcode::sub:
      lanes_.sub(count, d(), a(), b());
      break;
    case Opcode::max:
      lanes_.max(count, d(), a(), b());
      break;
    case Opcode::maxs:
      lanes_.max_scalar(count, d(), a(), scalars(run.b, strides.b).get());
      break;
    case Opcode::tlow:
      lanes_.lower_halves(count, d(), a(), b(), static_cast<u32>(run.c.offset));
      break;
    case Opcode::thigh:
      lanes_.upper_halves(count, d(), a(), b(), static_cast<u32>(run.c.offset));
      break;
    case Opcode::exp:
      lanes_.exp(count, d(), a());
      break;
    case Opcode::erf:
      lanes_.erf(count, d(), a());
      break;
    case Opcode::rcp:
      lanes_.reciprocal(count, d(), a());
      break;
    case Opcode::rsqrt:
      lanes_.rsqrt(count, d(), a());
      break;
    case Opcode::azero:
      lanes_.acc_zero(count, sums(run.d, strides.d));
      break;
    case Opcode::aadd:
      lanes_.acc_add(count, sums(run.d, strides.d), a());
      break;
    case Opcode::amac:
      lanes_.acc_mac(count, sums(run.d, strides.d), a(), b());
      break;
    case Opcode::amacs:
      lanes_.acc_mac_scalar(count, sums(run.d, strides.d), a(), scalars(run.b, strides.b).get());
      break;
    case Opcode::around:
      lanes_.acc_round(count, d(), sums(run.a, strides.a));
      break;
    case Opcode::amul:
      lanes_.acc_round_vector(count, d(), sums(run.a, strides.a), b());
      break;
    case Opcode::amuls:
      lanes_.acc_round_scalar(count, d(), sums(run.a, strides.a), scalars(run.b, strides.b).get());
      break;
    case Opcode::alow:
      lanes_.acc_low(count, d(), sums(run.a, strides.a));
      break;
    case Opcode::ahigh:
      lanes_.acc_high(count, d(), sums(run.a, strides.a));
      break;
    case Opcode::ajoin:
      lanes_.acc_join(count, sums(run.d, strides.d), a(), b());
      break;
    case Opcode::asub:
      lanes_.acc_subtract(count, d(), sums(run.a, strides.a), b());
      break;
    case Opcode::ascale:
      lanes_.acc_scale(count, sums(run.d, strides.d), sums(run.a, strides.a), scalars(run.b, strides.b).get(),
                       scalars(run.c, strides.c).get());
      break;
    case Opcode::arsqrt:
      lanes_.acc_rsqrt(count, sums(run.d, strides.d), sums(run.a, strides.a));
      break;
    case Opcode::ld:
    case Opcode::st:
    case Opcode::send:
      break;  // refused by Kernel::check in a Cal segment
  }
}

}  // namespace bvp
