// SPDX-License-Identifier: Apache-2.0
// This file is compiled once for each instruction set of the host (foreach_target.h); the program chooses the best one
// when it runs.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/arith/lanes.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <utility>

#include "models/arith/lanes.h"

#ifndef BVP_MODELS_ARITH_LANES_SHARED
#define BVP_MODELS_ARITH_LANES_SHARED
namespace bvp::lanes_kernels {

using Shape = LaneKernels::Shape;

constexpr std::size_t group = 16;  // lanes processed together; no register is wider

// Pairs of points whose scalars are converted to fp32 together.
constexpr std::size_t butterfly_block = 16;

// Values of a block product that are converted to fp32 together: few enough for the host's L1 cache.
constexpr std::size_t block_columns = 64;
constexpr std::size_t block_rows = 16;

/// The scalar of a swapping multiply-add: whether the vectors change places, and the value without that bit.
constexpr unsigned swap_bit = 0x4000;
constexpr bool swaps(u16 scalar) { return (scalar & swap_bit) != 0; }
constexpr u16 ratio_of(u16 scalar) { return static_cast<u16>(scalar & ~swap_bit); }

}  // namespace bvp::lanes_kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace bvp::lanes_kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::CappedTag<float, group>;
using U16 = hn::Rebind<std::uint16_t, F32>;
using U32 = hn::Rebind<std::uint32_t, F32>;
using I32 = hn::Rebind<std::int32_t, F32>;
using Floats = hn::Vec<F32>;
using Halves = hn::Vec<U16>;

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL

template <class Tag>
HWY_INLINE hn::Vec<Tag> to_floats(Tag f, hn::Vec<hn::Rebind<std::uint16_t, Tag>> halves) {
  return hn::PromoteTo(f, hn::BitCast(hn::Rebind<hwy::float16_t, Tag>(), halves));
}

HWY_INLINE Halves to_halves(Floats values) {
  return hn::BitCast(U16(), hn::DemoteTo(hn::Rebind<hwy::float16_t, F32>(), values));
}

#else  // Highway's own conversions truncate, and do not handle infinities, on instruction sets without fp16.

template <class Tag>
HWY_INLINE hn::Vec<Tag> to_floats(Tag f, hn::Vec<hn::Rebind<std::uint16_t, Tag>> halves) {
  const hn::Rebind<std::uint32_t, Tag> u;
  const hn::Rebind<std::int32_t, Tag> s;
  const auto bits = hn::PromoteTo(u, halves);
  const auto exponent = hn::And(bits, hn::Set(u, 0x7c00));
  const auto fraction = hn::And(bits, hn::Set(u, 0x3ff));
  const auto magnitude = hn::ShiftLeft<13>(hn::And(bits, hn::Set(u, 0x7fff)));
  const auto normal = hn::Add(magnitude, hn::Set(u, 112U << 23));
  const auto special = hn::Or(magnitude, hn::Set(u, 0x7f800000));
  const auto subnormal =
      hn::BitCast(u, hn::Mul(hn::ConvertTo(f, hn::BitCast(s, fraction)), hn::Set(f, 5.9604644775390625e-8F)));
  const auto finite = hn::IfThenElse(hn::Eq(exponent, hn::Zero(u)), subnormal, normal);
  const auto result = hn::IfThenElse(hn::Eq(exponent, hn::Set(u, 0x7c00)), special, finite);
  return hn::BitCast(f, hn::Or(result, hn::ShiftLeft<16>(hn::And(bits, hn::Set(u, 0x8000)))));
}

HWY_INLINE Halves to_halves(Floats values) {
  const F32 f;
  const U32 u;
  const I32 s;
  const auto bits = hn::BitCast(u, values);
  const auto magnitude = hn::And(bits, hn::Set(u, 0x7fffffff));
  // Adding 0.5 leaves the fp16 fraction of a subnormal in the low bits, rounded by the addition itself.
  const auto half = hn::Set(f, 0.5F);
  const auto subnormal = hn::Sub(hn::BitCast(u, hn::Add(hn::BitCast(f, magnitude), half)), hn::BitCast(u, half));
  const auto odd = hn::And(hn::ShiftRight<13>(magnitude), hn::Set(u, 1));
  const auto rebiased = hn::Sub(magnitude, hn::Set(u, 112U << 23));
  const auto normal = hn::ShiftRight<13>(hn::Add(hn::Add(rebiased, hn::Set(u, 0xfff)), odd));
  // Magnitudes are below 2^31, so that comparing them as signed numbers is right.
  const auto compared = hn::BitCast(s, magnitude);
  const auto is_subnormal = hn::RebindMask(u, hn::Lt(compared, hn::Set(s, 113 << 23)));
  const auto is_large = hn::RebindMask(u, hn::Gt(compared, hn::Set(s, (143 << 23) - 1)));
  const auto is_nan = hn::RebindMask(u, hn::Gt(compared, hn::Set(s, 0x7f800000)));
  auto result = hn::IfThenElse(is_subnormal, subnormal, normal);
  result = hn::IfThenElse(is_large, hn::Set(u, 0x7c00), result);
  result = hn::IfThenElse(is_nan, hn::Set(u, 0x7e00), result);
  result = hn::Or(result, hn::ShiftRight<16>(hn::And(bits, hn::Set(u, 0x80000000))));
  // The demotion saturates signed numbers, hence the sign extension.
  const auto extended = hn::ShiftRight<16>(hn::BitCast(s, hn::ShiftLeft<16>(result)));
  return hn::BitCast(U16(), hn::DemoteTo(hn::Rebind<std::int16_t, F32>(), extended));
}

#endif

template <class Tag>
HWY_INLINE hn::Vec<Tag> load(Tag f, const u16* words) {
  return to_floats(f, hn::LoadU(hn::Rebind<std::uint16_t, Tag>(), words));
}
HWY_INLINE Floats load(const u16* words) { return load(F32(), words); }

HWY_INLINE Floats broadcast(const u16* scalar) { return to_floats(F32(), hn::Set(U16(), *scalar)); }

/// Instruction sets give NaN results different signs and payloads; this returns the one NaN that we use.
HWY_INLINE Floats with_one_nan(Floats values) {
  const F32 f;
  const auto nan = hn::BitCast(f, hn::Set(U32(), 0x7fc00000));
  return hn::IfThenElse(hn::Eq(values, values), values, nan);
}

/// Rounds to fp16 and converts back, where the caller does not care which NaN results.
HWY_INLINE Floats rounded(Floats values) { return to_floats(F32(), to_halves(values)); }

HWY_INLINE void store(Floats values, u16* words) { hn::StoreU(to_halves(with_one_nan(values)), U16(), words); }

/// Calls start(i) for each vector i. What start(i) returns is called for each group of lanes, and its result is stored
/// in vector i of d.
template <class Start>
HWY_INLINE void for_each_vector(const Shape& shape, u64 count, LaneVectors d, const Start& start) {
  u16* out = d.first;
  const std::ptrdiff_t step = d.stride * shape.pitch;
  for (u64 i = 0; i < count; ++i, out += step) {
    const auto compute = start(static_cast<i64>(i));
    for (std::size_t lane = 0; lane < shape.width; lane += group) {
      for (std::size_t part = lane; part < lane + group; part += hn::Lanes(F32())) store(compute(part), out + part);
    }
  }
}

HWY_INLINE const u16* at(const Shape& shape, ConstLaneVectors v, i64 i) { return v.first + i * v.stride * shape.pitch; }
HWY_INLINE float* at(const Shape& shape, LaneAccumulators v, i64 i) { return v.first + i * v.stride * shape.pitch; }
HWY_INLINE const u16* at(LaneScalars s, i64 i) { return s.first + i * s.stride; }

void mul_scalar(const Shape& shape, u64 count, LaneVectors d, ConstLaneVectors a, LaneScalars w) {
  for_each_vector(shape, count, d, [=](i64 i) HWY_ATTR {
    return [x = at(shape, a, i), k = broadcast(at(w, i))](std::size_t lane)
               HWY_ATTR { return hn::Mul(load(x + lane), k); };
  });
}

void fma_scalar(const Shape& shape, u64 count, LaneVectors d, ConstLaneVectors a, LaneScalars w, ConstLaneVectors c) {
  for_each_vector(shape, count, d, [=](i64 i) HWY_ATTR {
    return [x = at(shape, a, i), k = broadcast(at(w, i)), z = at(shape, c, i)](std::size_t lane)
               HWY_ATTR { return hn::MulAdd(k, load(x + lane), load(z + lane)); };
  });
}

void fnma_scalar(const Shape& shape, u64 count, LaneVectors d, ConstLaneVectors a, LaneScalars w, ConstLaneVectors c) {
  for_each_vector(shape, count, d, [=](i64 i) HWY_ATTR {
    return [x = at(shape, a, i), k = broadcast(at(w, i)), z = at(shape, c, i)](std::size_t lane)
               HWY_ATTR { return hn::NegMulAdd(k, load(x + lane), load(z + lane)); };
  });
}

void fma_scalar_scalar(const Shape& shape, u64 count, LaneVectors d, ConstLaneVectors a, LaneScalars w, LaneScalars s) {
  for_each_vector(shape, count, d, [=](i64 i) HWY_ATTR {
    return [x = at(shape, a, i), k = broadcast(at(w, i)), z = broadcast(at(s, i))](std::size_t lane)
               HWY_ATTR { return hn::MulAdd(k, load(x + lane), z); };
  });
}

void fma_swapping(const Shape& shape, u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b, LaneScalars w) {
  for_each_vector(shape, count, d, [=](i64 i) HWY_ATTR {
    const u16 scalar = *at(w, i), ratio = ratio_of(scalar);
    const u16 *x = at(shape, a, i), *y = at(shape, b, i);
    if (swaps(scalar)) std::swap(x, y);
    return [x, y, k = broadcast(&ratio)](std::size_t lane)
               HWY_ATTR { return hn::MulAdd(k, load(y + lane), load(x + lane)); };
  });
}

void fnma_swapping(const Shape& shape, u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b,
                   LaneScalars w) {
  for_each_vector(shape, count, d, [=](i64 i) HWY_ATTR {
    const u16 scalar = *at(w, i), ratio = ratio_of(scalar);
    const bool swapped = swaps(scalar);
    return [x = at(shape, a, i), y = at(shape, b, i), k = broadcast(&ratio), swapped](std::size_t lane) HWY_ATTR {
      return swapped ? hn::MulSub(k, load(x + lane), load(y + lane)) : hn::NegMulAdd(k, load(y + lane), load(x + lane));
    };
  });
}

void add_scalar(const Shape& shape, u64 count, LaneVectors d, ConstLaneVectors a, LaneScalars s) {
  for_each_vector(shape, count, d, [=](i64 i) HWY_ATTR {
    return [x = at(shape, a, i), k = broadcast(at(s, i))](std::size_t lane)
               HWY_ATTR { return hn::Add(load(x + lane), k); };
  });
}

HWY_INLINE Floats maximum(Floats a, Floats b) {
  const auto larger = hn::IfThenElse(hn::Gt(a, b), a, b);  // b if either is NaN
  return hn::IfThenElse(hn::Eq(a, a), larger, a);
}

void max_scalar(const Shape& shape, u64 count, LaneVectors d, ConstLaneVectors a, LaneScalars s) {
  for_each_vector(shape, count, d, [=](i64 i) HWY_ATTR {
    return [x = at(shape, a, i), k = broadcast(at(s, i))](std::size_t lane)
               HWY_ATTR { return maximum(load(x + lane), k); };
  });
}

void mul(const Shape& shape, u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b) {
  for_each_vector(shape, count, d, [=](i64 i) HWY_ATTR {
    return [x = at(shape, a, i), y = at(shape, b, i)](std::size_t lane)
               HWY_ATTR { return hn::Mul(load(x + lane), load(y + lane)); };
  });
}

void fma(const Shape& shape, u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b, ConstLaneVectors c) {
  for_each_vector(shape, count, d, [=](i64 i) HWY_ATTR {
    return [x = at(shape, a, i), y = at(shape, b, i), z = at(shape, c, i)](std::size_t lane)
               HWY_ATTR { return hn::MulAdd(load(x + lane), load(y + lane), load(z + lane)); };
  });
}

void add(const Shape& shape, u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b) {
  for_each_vector(shape, count, d, [=](i64 i) HWY_ATTR {
    return [x = at(shape, a, i), y = at(shape, b, i)](std::size_t lane)
               HWY_ATTR { return hn::Add(load(x + lane), load(y + lane)); };
  });
}

void sub(const Shape& shape, u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b) {
  for_each_vector(shape, count, d, [=](i64 i) HWY_ATTR {
    return [x = at(shape, a, i), y = at(shape, b, i)](std::size_t lane)
               HWY_ATTR { return hn::Sub(load(x + lane), load(y + lane)); };
  });
}

void max(const Shape& shape, u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b) {
  for_each_vector(shape, count, d, [=](i64 i) HWY_ATTR {
    return [x = at(shape, a, i), y = at(shape, b, i)](std::size_t lane)
               HWY_ATTR { return maximum(load(x + lane), load(y + lane)); };
  });
}

#if HWY_TARGET != HWY_SCALAR
using Words = hn::FixedTag<std::uint16_t, 8>;  // a register width that every instruction set has
#endif

/// One vector of lower_halves or upper_halves. The destination may be one of the sources, because each part of a source
/// is read before the same part of the destination is written.
template <bool upper>
HWY_INLINE void take_halves(std::size_t width, u16* out, const u16* a, const u16* b, std::size_t distance) {
#if HWY_TARGET != HWY_SCALAR
  const Words words;
  const std::size_t n = hn::Lanes(words);
  if (distance >= n) {
    const std::size_t half = upper ? distance : 0;
    for (std::size_t first = 0; first < width; first += 2 * distance) {
      for (std::size_t lane = first; lane < first + distance; lane += n) {
        const auto x = hn::LoadU(words, a + lane + half), y = hn::LoadU(words, b + lane + half);
        hn::StoreU(x, words, out + lane);
        hn::StoreU(y, words, out + lane + distance);
      }
    }
    return;
  }
  const auto within = [&](auto pairs, const auto& take) HWY_ATTR {
    for (std::size_t lane = 0; lane < width; lane += n) {
      const auto x = hn::BitCast(pairs, hn::LoadU(words, a + lane)), y = hn::BitCast(pairs, hn::LoadU(words, b + lane));
      hn::StoreU(hn::BitCast(words, take(x, y)), words, out + lane);
    }
  };
  const hn::Repartition<std::uint32_t, Words> d32;
  const hn::Repartition<std::uint64_t, Words> d64;
  if (distance == 4) {
    within(d64, [=](auto x, auto y)
                    HWY_ATTR { return upper ? hn::InterleaveUpper(d64, x, y) : hn::InterleaveLower(d64, x, y); });
  } else if (distance == 2) {
    within(d64, [=](auto x, auto y) HWY_ATTR {
      const auto low = hn::Set(d64, 0xffffffff);
      return upper ? hn::Or(hn::ShiftRight<32>(x), hn::AndNot(low, y)) : hn::Or(hn::And(low, x), hn::ShiftLeft<32>(y));
    });
  } else {
    within(d32, [=](auto x, auto y) HWY_ATTR {
      const auto low = hn::Set(d32, 0xffff);
      return upper ? hn::Or(hn::ShiftRight<16>(x), hn::AndNot(low, y)) : hn::Or(hn::And(low, x), hn::ShiftLeft<16>(y));
    });
  }
#else
  const std::size_t half = upper ? distance : 0;
  for (std::size_t first = 0; first < width; first += 2 * distance) {
    for (std::size_t lane = first; lane < first + distance; ++lane) {
      const u16 x = a[lane + half], y = b[lane + half];
      out[lane] = x;
      out[lane + distance] = y;
    }
  }
#endif
}

template <bool upper>
void halves(const Shape& shape, u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b, u32 distance) {
  for (u64 index = 0; index < count; ++index) {
    const auto i = static_cast<i64>(index);
    take_halves<upper>(shape.width, d.first + i * d.stride * shape.pitch, at(shape, a, i), at(shape, b, i), distance);
  }
}

void acc_round(const Shape& shape, u64 count, LaneVectors d, LaneAccumulators acc) {
  for_each_vector(shape, count, d, [=](i64 i) HWY_ATTR {
    return [x = at(shape, acc, i)](std::size_t lane) HWY_ATTR { return hn::LoadU(F32(), x + lane); };
  });
}

void acc_round_vector(const Shape& shape, u64 count, LaneVectors d, LaneAccumulators acc, ConstLaneVectors a) {
  for_each_vector(shape, count, d, [=](i64 i) HWY_ATTR {
    return [x = at(shape, acc, i), y = at(shape, a, i)](std::size_t lane)
               HWY_ATTR { return hn::Mul(hn::LoadU(F32(), x + lane), load(y + lane)); };
  });
}

void acc_round_scalar(const Shape& shape, u64 count, LaneVectors d, LaneAccumulators acc, LaneScalars w) {
  for_each_vector(shape, count, d, [=](i64 i) HWY_ATTR {
    return [x = at(shape, acc, i), k = broadcast(at(w, i))](std::size_t lane)
               HWY_ATTR { return hn::Mul(hn::LoadU(F32(), x + lane), k); };
  });
}

void acc_subtract(const Shape& shape, u64 count, LaneVectors d, LaneAccumulators acc, ConstLaneVectors a) {
  for_each_vector(shape, count, d, [=](i64 i) HWY_ATTR {
    return [x = at(shape, acc, i), y = at(shape, a, i)](std::size_t lane)
               HWY_ATTR { return hn::Sub(load(y + lane), hn::LoadU(F32(), x + lane)); };
  });
}

void acc_zero(const Shape& shape, u64 count, LaneAccumulators d) {
  for (u64 i = 0; i < count; ++i) {
    float* out = at(shape, d, static_cast<i64>(i));
    for (std::size_t lane = 0; lane < shape.width; lane += hn::Lanes(F32())) {
      hn::StoreU(hn::Zero(F32()), F32(), out + lane);
    }
  }
}

/// Runs whose vectors all add to one accumulator: the accumulator stays in registers. `start` is as for
/// for_each_vector; step(lane, sum) returns the new sum.
template <class Start>
HWY_INLINE void for_each_sum(const Shape& shape, u64 count, LaneAccumulators d, const Start& start) {
  const F32 f;
  const std::size_t n = hn::Lanes(f);
  if (d.stride != 0) {
    for (u64 i = 0; i < count; ++i) {
      float* sums = at(shape, d, static_cast<i64>(i));
      const auto step = start(static_cast<i64>(i));
      for (std::size_t lane = 0; lane < shape.width; lane += n) {
        hn::StoreU(step(lane, hn::LoadU(f, sums + lane)), f, sums + lane);
      }
    }
    return;
  }
  // Two registers at a time hide the latency of the additions. The last register may remain alone.
  std::size_t lane = 0;
  for (; lane + 2 * n <= shape.width; lane += 2 * n) {
    auto low = hn::LoadU(f, d.first + lane);
    auto high = hn::LoadU(f, d.first + lane + n);
    for (u64 i = 0; i < count; ++i) {
      const auto step = start(static_cast<i64>(i));
      low = step(lane, low);
      high = step(lane + n, high);
    }
    hn::StoreU(low, f, d.first + lane);
    hn::StoreU(high, f, d.first + lane + n);
  }
  for (; lane < shape.width; lane += n) {
    auto sum = hn::LoadU(f, d.first + lane);
    for (u64 i = 0; i < count; ++i) sum = start(static_cast<i64>(i))(lane, sum);
    hn::StoreU(sum, f, d.first + lane);
  }
}

void acc_add(const Shape& shape, u64 count, LaneAccumulators d, ConstLaneVectors a) {
  for_each_sum(shape, count, d, [=](i64 i) HWY_ATTR {
    return [x = at(shape, a, i)](std::size_t lane, Floats sum) HWY_ATTR { return hn::Add(sum, load(x + lane)); };
  });
}

void acc_mac(const Shape& shape, u64 count, LaneAccumulators d, ConstLaneVectors a, ConstLaneVectors b) {
  for_each_sum(shape, count, d, [=](i64 i) HWY_ATTR {
    return [x = at(shape, a, i), y = at(shape, b, i)](std::size_t lane, Floats sum)
               HWY_ATTR { return hn::MulAdd(load(x + lane), load(y + lane), sum); };
  });
}

void acc_mac_scalar(const Shape& shape, u64 count, LaneAccumulators d, ConstLaneVectors a, LaneScalars w) {
  for_each_sum(shape, count, d, [=](i64 i) HWY_ATTR {
    return [x = at(shape, a, i), k = broadcast(at(w, i))](std::size_t lane, Floats sum)
               HWY_ATTR { return hn::MulAdd(load(x + lane), k, sum); };
  });
}

/// fp32 copies of `count` scalars.
HWY_INLINE void convert_scalars(const u16* from, i64 stride, std::size_t count, float* to) {
  // Vectors of at most 8 values, because runs are often as short as 8.
  const hn::CappedTag<float, 8> f;
  const std::size_t n = hn::Lanes(f);
  std::size_t i = 0;
  if (stride == 1) {
    for (; i + n <= count; i += n) hn::StoreU(load(f, from + i), f, to + i);
  }
  for (; i < count; ++i) to[i] = hn::GetLane(broadcast(from + static_cast<i64>(i) * stride));
}

/// Rows `0 .. tile - 1` of d, two registers of lanes each, over all columns: tile * 2 sums stay in registers.
template <class Tag, std::size_t tile>
HWY_NOINLINE void mac_tile(std::size_t columns, float* d, std::ptrdiff_t d_step, const float* a, std::size_t a_step,
                           const float* w, std::size_t w_row, std::size_t w_column) {
  using Sums = hn::Vec<Tag>;
  const Tag f;
  const std::size_t n = hn::Lanes(f);
  // The sums are variables with names of their own: not every compiler keeps an array of vectors in registers, and
  // sizeless vectors cannot form arrays.
  Sums a0 = hn::LoadU(f, d), b0 = hn::LoadU(f, d + n);
  Sums a1 = a0, b1 = b0, a2 = a0, b2 = b0, a3 = a0, b3 = b0;
  if constexpr (tile > 1) {
    a1 = hn::LoadU(f, d + d_step), b1 = hn::LoadU(f, d + d_step + n);
  }
  if constexpr (tile > 2) {
    a2 = hn::LoadU(f, d + 2 * d_step), b2 = hn::LoadU(f, d + 2 * d_step + n);
    a3 = hn::LoadU(f, d + 3 * d_step), b3 = hn::LoadU(f, d + 3 * d_step + n);
  }
  for (std::size_t k = 0; k < columns; ++k, a += a_step, w += w_column) {
    const Sums x = hn::LoadU(f, a), y = hn::LoadU(f, a + n);
    const Sums w0 = hn::Set(f, w[0]);
    a0 = hn::MulAdd(x, w0, a0), b0 = hn::MulAdd(y, w0, b0);
    if constexpr (tile > 1) {
      const Sums w1 = hn::Set(f, w[w_row]);
      a1 = hn::MulAdd(x, w1, a1), b1 = hn::MulAdd(y, w1, b1);
    }
    if constexpr (tile > 2) {
      const Sums w2 = hn::Set(f, w[2 * w_row]);
      a2 = hn::MulAdd(x, w2, a2), b2 = hn::MulAdd(y, w2, b2);
      const Sums w3 = hn::Set(f, w[3 * w_row]);
      a3 = hn::MulAdd(x, w3, a3), b3 = hn::MulAdd(y, w3, b3);
    }
  }
  hn::StoreU(a0, f, d), hn::StoreU(b0, f, d + n);
  if constexpr (tile > 1) hn::StoreU(a1, f, d + d_step), hn::StoreU(b1, f, d + d_step + n);
  if constexpr (tile > 2) {
    hn::StoreU(a2, f, d + 2 * d_step), hn::StoreU(b2, f, d + 2 * d_step + n);
    hn::StoreU(a3, f, d + 3 * d_step), hn::StoreU(b3, f, d + 3 * d_step + n);
  }
}

/// `rows` rows of d over all columns; the lanes are a multiple of two registers.
template <class Tag>
HWY_INLINE void mac_rows(std::size_t lanes, std::size_t rows, std::size_t columns, float* d, std::ptrdiff_t d_step,
                         const float* a, const float* w, std::size_t w_row, std::size_t w_column) {
  for (std::size_t lane = 0; lane < lanes; lane += 2 * hn::Lanes(Tag())) {
    std::size_t j = 0;
    const auto tile_of = [&](auto kernel) HWY_ATTR {
      kernel(columns, d + static_cast<std::ptrdiff_t>(j) * d_step + lane, d_step, a + lane, lanes, w + j * w_row, w_row,
             w_column);
    };
    for (; j + 4 <= rows; j += 4) tile_of(&mac_tile<Tag, 4>);
    for (; j + 2 <= rows; j += 2) tile_of(&mac_tile<Tag, 2>);
    for (; j < rows; ++j) tile_of(&mac_tile<Tag, 1>);
  }
}

void acc_mac_block(const Shape& shape, u64 rows, u64 columns, LaneAccumulators d, ConstLaneVectors a, const u16* w,
                   i64 w_row, i64 w_column) {
  const std::size_t n = hn::Lanes(F32());
  const std::ptrdiff_t d_step = d.stride * shape.pitch;
  HWY_ALIGN float operands[block_columns * Lanes::max_lanes];
  HWY_ALIGN float scalars[block_columns * block_rows];
  for (u64 column = 0; column < columns; column += block_columns) {
    const auto block = static_cast<std::size_t>(columns - column < block_columns ? columns - column : block_columns);
    for (std::size_t k = 0; k < block; ++k) {
      const u16* from = at(shape, a, static_cast<i64>(column + k));
      for (std::size_t lane = 0; lane < shape.width; lane += n) {
        hn::StoreU(load(from + lane), F32(), operands + k * shape.width + lane);
      }
    }
    for (u64 row = 0; row < rows; row += block_rows) {
      const auto high = static_cast<std::size_t>(rows - row < block_rows ? rows - row : block_rows);
      const u16* from = w + static_cast<i64>(row) * w_row + static_cast<i64>(column) * w_column;
      // The inner loop runs over the direction that is contiguous in memory, so that whole registers are converted.
      const bool transposed = w_row == 1 && w_column != 1;
      const std::size_t row_step = transposed ? 1 : block_columns;
      const std::size_t column_step = transposed ? block_rows : 1;
      if (transposed) {
        for (std::size_t k = 0; k < block; ++k) {
          convert_scalars(from + static_cast<i64>(k) * w_column, 1, high, scalars + k * block_rows);
        }
      } else {
        for (std::size_t j = 0; j < high; ++j) {
          convert_scalars(from + static_cast<i64>(j) * w_row, w_column, block, scalars + j * block_columns);
        }
      }
      float* const sums = d.first + static_cast<std::ptrdiff_t>(row) * d_step;
      if (shape.width % (2 * n) == 0) {
        mac_rows<F32>(shape.width, high, block, sums, d_step, operands, scalars, row_step, column_step);
      } else {
        using Half = hn::CappedTag<float, group / 2>;
        mac_rows<Half>(shape.width, high, block, sums, d_step, operands, scalars, row_step, column_step);
      }
    }
  }
}

/// fp32 copies of the scalars of a block of pairs.
struct BlockScalars {
  HWY_ALIGN float values[butterfly_block];
  HWY_INLINE void convert(LaneScalars s, u64 first, std::size_t count) {
    convert_scalars(at(s, static_cast<i64>(first)), s.stride, count, values);
  }
};

void butterfly(const Shape& shape, u64 count, LaneVectors lo, LaneVectors hi, LaneScalars w00, LaneScalars w01,
               LaneScalars w10, LaneScalars w11) {
  const F32 f;
  u16 *a = lo.first, *b = hi.first;
  BlockScalars s00, s01, s10, s11;
  for (u64 first = 0; first < count; first += butterfly_block) {
    const auto block = static_cast<std::size_t>(count - first < butterfly_block ? count - first : butterfly_block);
    s00.convert(w00, first, block), s01.convert(w01, first, block);
    s10.convert(w10, first, block), s11.convert(w11, first, block);
    for (std::size_t i = 0; i < block; ++i, a += lo.stride * shape.pitch, b += hi.stride * shape.pitch) {
      const Floats t00 = hn::Set(f, s00.values[i]), t01 = hn::Set(f, s01.values[i]);
      const Floats t10 = hn::Set(f, s10.values[i]), t11 = hn::Set(f, s11.values[i]);
      for (std::size_t lane = 0; lane < shape.width; lane += hn::Lanes(f)) {
        const Floats x = load(a + lane), y = load(b + lane);
        const Floats m0 = rounded(hn::Mul(t00, x)), m1 = rounded(hn::Mul(t10, x));
        store(hn::MulAdd(t01, y, m0), a + lane);
        store(hn::MulAdd(t11, y, m1), b + lane);
      }
    }
  }
}

void complex_butterfly(const Shape& shape, u64 count, LaneVectors lo_re, LaneVectors lo_im, LaneVectors hi_re,
                       LaneVectors hi_im, LaneScalars w_re, LaneScalars w_im) {
  const F32 f;
  u16 *a_re = lo_re.first, *a_im = lo_im.first, *b_re = hi_re.first, *b_im = hi_im.first;
  const std::ptrdiff_t a_step = lo_re.stride * shape.pitch, b_step = hi_re.stride * shape.pitch;
  BlockScalars re, im;
  for (u64 first = 0; first < count; first += butterfly_block) {
    const auto block = static_cast<std::size_t>(count - first < butterfly_block ? count - first : butterfly_block);
    re.convert(w_re, first, block), im.convert(w_im, first, block);
    for (std::size_t i = 0; i < block; ++i, a_re += a_step, a_im += a_step, b_re += b_step, b_im += b_step) {
      const Floats t_re = hn::Set(f, re.values[i]), t_im = hn::Set(f, im.values[i]);
      for (std::size_t lane = 0; lane < shape.width; lane += hn::Lanes(f)) {
        const Floats x = load(b_re + lane), y = load(b_im + lane);
        const Floats m_re = rounded(hn::NegMulAdd(t_im, y, rounded(hn::Mul(t_re, x))));
        const Floats m_im = rounded(hn::MulAdd(t_im, x, rounded(hn::Mul(t_re, y))));
        const Floats u = load(a_re + lane), v = load(a_im + lane);
        store(hn::Sub(u, m_re), b_re + lane), store(hn::Sub(v, m_im), b_im + lane);
        store(hn::Add(u, m_re), a_re + lane), store(hn::Add(v, m_im), a_im + lane);
      }
    }
  }
}

/// The factors of both inputs in a swapping multiply-add. Each of its products is exact, so that the order of the two
/// does not matter.
struct SwappedFactors {
  float a, b;
};
HWY_INLINE SwappedFactors factors_of(u16 scalar) {
  const u16 ratio = ratio_of(scalar);
  const float k = hn::GetLane(broadcast(&ratio));
  return swaps(scalar) ? SwappedFactors{k, 1.0F} : SwappedFactors{1.0F, k};
}

void normal_butterfly(const Shape& shape, u64 count, LaneVectors lo_out, LaneVectors hi_out, ConstLaneVectors lo,
                      ConstLaneVectors hi, LaneScalars r_lo, LaneScalars r_hi) {
  const F32 f;
  const u16 *a = lo.first, *b = hi.first;
  u16 *to_lo = lo_out.first, *to_hi = hi_out.first;
  for (u64 i = 0; i < count; ++i) {
    const SwappedFactors low = factors_of(*at(r_lo, static_cast<i64>(i)));
    const SwappedFactors high = factors_of(*at(r_hi, static_cast<i64>(i)));
    const Floats low_a = hn::Set(f, low.a), low_b = hn::Set(f, low.b);
    const Floats high_a = hn::Set(f, high.a), high_b = hn::Set(f, high.b);
    for (std::size_t lane = 0; lane < shape.width; lane += hn::Lanes(f)) {
      const Floats x = load(a + lane), y = load(b + lane);
      store(hn::MulAdd(low_a, x, hn::Mul(low_b, y)), to_lo + lane);
      store(hn::MulAdd(high_a, x, hn::Mul(high_b, y)), to_hi + lane);
    }
    a += lo.stride * shape.pitch, b += hi.stride * shape.pitch;
    to_lo += lo_out.stride * shape.pitch, to_hi += hi_out.stride * shape.pitch;
  }
}

void ratio_butterfly(const Shape& shape, u64 count, LaneVectors lo_re, LaneVectors lo_im, LaneVectors hi_re,
                     LaneVectors hi_im, LaneScalars ratio, LaneScalars large) {
  const F32 f;
  u16 *a_re = lo_re.first, *a_im = lo_im.first, *b_re = hi_re.first, *b_im = hi_im.first;
  const std::ptrdiff_t a_step = lo_re.stride * shape.pitch, b_step = hi_re.stride * shape.pitch;
  for (u64 i = 0; i < count; ++i, a_re += a_step, a_im += a_step, b_re += b_step, b_im += b_step) {
    const SwappedFactors factors = factors_of(*at(ratio, static_cast<i64>(i)));
    const Floats first = hn::Set(f, factors.a), second = hn::Set(f, factors.b);
    const Floats k = broadcast(at(large, static_cast<i64>(i)));
    for (std::size_t lane = 0; lane < shape.width; lane += hn::Lanes(f)) {
      const Floats x = load(b_re + lane), y = load(b_im + lane);
      const Floats t_re = rounded(hn::NegMulAdd(second, y, hn::Mul(first, x)));
      const Floats t_im = rounded(hn::MulAdd(second, x, hn::Mul(first, y)));
      const Floats u = load(a_re + lane), v = load(a_im + lane);
      store(hn::NegMulAdd(k, t_re, u), b_re + lane), store(hn::NegMulAdd(k, t_im, v), b_im + lane);
      store(hn::MulAdd(k, t_re, u), a_re + lane), store(hn::MulAdd(k, t_im, v), a_im + lane);
    }
  }
}

const LaneKernels* kernels() {
  static constexpr LaneKernels table{
      &mul_scalar,
      &fma_scalar,
      &fnma_scalar,
      &fma_scalar_scalar,
      &fma_swapping,
      &fnma_swapping,
      &add_scalar,
      &max_scalar,
      &mul,
      &fma,
      &add,
      &sub,
      &max,
      &halves<false>,
      &halves<true>,
      &acc_zero,
      &acc_add,
      &acc_mac,
      &acc_mac_scalar,
      &acc_round,
      &acc_round_vector,
      &acc_round_scalar,
      &acc_subtract,
      &acc_mac_block,
      &butterfly,
      &complex_butterfly,
      &ratio_butterfly,
      &normal_butterfly,
  };
  return &table;
}

}  // namespace bvp::lanes_kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <cmath>
#include <cstring>
#include <stdexcept>

#include "models/arith/special_functions.h"

namespace bvp {
namespace lanes_kernels {

HWY_EXPORT(kernels);

namespace {

void look_up(const Shape& shape, u64 count, LaneVectors d, ConstLaneVectors a, const SpecialFunctionTable& table) {
  for (u64 i = 0; i < count; ++i) {
    u16* out = d.first + static_cast<i64>(i) * d.stride * shape.pitch;
    const u16* in = a.first + static_cast<i64>(i) * a.stride * shape.pitch;
    for (std::size_t lane = 0; lane < shape.width; ++lane) out[lane] = table[in[lane]];
  }
}

float of_halves(u16 low, u16 high) {
  const u32 bits = u32{high} << 16 | low;
  float value = 0;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

}  // namespace
}  // namespace lanes_kernels

Lanes::Lanes(u32 lanes, u32 pitch)
    : shape_{(lanes + lanes_kernels::group - 1) / lanes_kernels::group * lanes_kernels::group, pitch},
      kernels_(HWY_DYNAMIC_DISPATCH(lanes_kernels::kernels)()) {
  if (lanes == 0 || lanes > max_lanes) throw std::invalid_argument("the number of lanes must be 1 to 64");
  if (pitch < shape_.width) throw std::invalid_argument("the pitch must be at least the lanes rounded up to 16");
}

void Lanes::mul_scalar(u64 count, LaneVectors d, ConstLaneVectors a, LaneScalars w) const {
  kernels_->mul_scalar(shape_, count, d, a, w);
}
void Lanes::fma_scalar(u64 count, LaneVectors d, ConstLaneVectors a, LaneScalars w, ConstLaneVectors c) const {
  kernels_->fma_scalar(shape_, count, d, a, w, c);
}
void Lanes::fnma_scalar(u64 count, LaneVectors d, ConstLaneVectors a, LaneScalars w, ConstLaneVectors c) const {
  kernels_->fnma_scalar(shape_, count, d, a, w, c);
}
void Lanes::fma_scalar_scalar(u64 count, LaneVectors d, ConstLaneVectors a, LaneScalars w, LaneScalars s) const {
  kernels_->fma_scalar_scalar(shape_, count, d, a, w, s);
}
void Lanes::fma_swapping(u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b, LaneScalars w) const {
  kernels_->fma_swapping(shape_, count, d, a, b, w);
}
void Lanes::fnma_swapping(u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b, LaneScalars w) const {
  kernels_->fnma_swapping(shape_, count, d, a, b, w);
}
void Lanes::add_scalar(u64 count, LaneVectors d, ConstLaneVectors a, LaneScalars s) const {
  kernels_->add_scalar(shape_, count, d, a, s);
}
void Lanes::max_scalar(u64 count, LaneVectors d, ConstLaneVectors a, LaneScalars s) const {
  kernels_->max_scalar(shape_, count, d, a, s);
}
void Lanes::mul(u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b) const {
  kernels_->mul(shape_, count, d, a, b);
}
void Lanes::fma(u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b, ConstLaneVectors c) const {
  kernels_->fma(shape_, count, d, a, b, c);
}
void Lanes::add(u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b) const {
  kernels_->add(shape_, count, d, a, b);
}
void Lanes::sub(u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b) const {
  kernels_->sub(shape_, count, d, a, b);
}
void Lanes::max(u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b) const {
  kernels_->max(shape_, count, d, a, b);
}
void Lanes::lower_halves(u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b, u32 distance) const {
  kernels_->lower_halves(shape_, count, d, a, b, distance);
}
void Lanes::upper_halves(u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b, u32 distance) const {
  kernels_->upper_halves(shape_, count, d, a, b, distance);
}
void Lanes::exp(u64 count, LaneVectors d, ConstLaneVectors a) const {
  lanes_kernels::look_up(shape_, count, d, a, exp_table());
}
void Lanes::erf(u64 count, LaneVectors d, ConstLaneVectors a) const {
  lanes_kernels::look_up(shape_, count, d, a, erf_table());
}
void Lanes::reciprocal(u64 count, LaneVectors d, ConstLaneVectors a) const {
  lanes_kernels::look_up(shape_, count, d, a, reciprocal_table());
}
void Lanes::rsqrt(u64 count, LaneVectors d, ConstLaneVectors a) const {
  lanes_kernels::look_up(shape_, count, d, a, rsqrt_table());
}
void Lanes::tanh(u64 count, LaneVectors d, ConstLaneVectors a) const {
  lanes_kernels::look_up(shape_, count, d, a, tanh_table());
}
void Lanes::acc_zero(u64 count, LaneAccumulators d) const { kernels_->acc_zero(shape_, count, d); }
void Lanes::acc_add(u64 count, LaneAccumulators d, ConstLaneVectors a) const { kernels_->acc_add(shape_, count, d, a); }
void Lanes::acc_mac(u64 count, LaneAccumulators d, ConstLaneVectors a, ConstLaneVectors b) const {
  kernels_->acc_mac(shape_, count, d, a, b);
}
void Lanes::acc_mac_scalar(u64 count, LaneAccumulators d, ConstLaneVectors a, LaneScalars w) const {
  kernels_->acc_mac_scalar(shape_, count, d, a, w);
}
void Lanes::acc_round(u64 count, LaneVectors d, LaneAccumulators acc) const {
  kernels_->acc_round(shape_, count, d, acc);
}
void Lanes::acc_round_vector(u64 count, LaneVectors d, LaneAccumulators acc, ConstLaneVectors a) const {
  kernels_->acc_round_vector(shape_, count, d, acc, a);
}
void Lanes::acc_round_scalar(u64 count, LaneVectors d, LaneAccumulators acc, LaneScalars w) const {
  kernels_->acc_round_scalar(shape_, count, d, acc, w);
}
void Lanes::acc_subtract(u64 count, LaneVectors d, LaneAccumulators acc, ConstLaneVectors a) const {
  kernels_->acc_subtract(shape_, count, d, acc, a);
}
void Lanes::acc_scale(u64 count, LaneAccumulators d, LaneAccumulators acc, LaneScalars low, LaneScalars high) const {
  for (u64 i = 0; i < count; ++i) {
    const auto at = static_cast<i64>(i);
    float* const to = d.first + at * d.stride * shape_.pitch;
    const float* const from = acc.first + at * acc.stride * shape_.pitch;
    const float factor = lanes_kernels::of_halves(low.first[at * low.stride], high.first[at * high.stride]);
    for (std::size_t lane = 0; lane < shape_.width; ++lane) to[lane] = from[lane] * factor;
  }
}
void Lanes::acc_rsqrt(u64 count, LaneAccumulators d, LaneAccumulators acc) const {
  for (u64 i = 0; i < count; ++i) {
    float* const to = d.first + static_cast<i64>(i) * d.stride * shape_.pitch;
    const float* const from = acc.first + static_cast<i64>(i) * acc.stride * shape_.pitch;
    // The fp64 result is so near the exact one that rounding it to fp32 gives the same as rounding the exact result.
    for (std::size_t lane = 0; lane < shape_.width; ++lane) {
      to[lane] = static_cast<float>(1 / std::sqrt(static_cast<double>(from[lane])));
    }
  }
}
void Lanes::acc_half(u64 count, LaneVectors d, LaneAccumulators acc, unsigned shift) const {
  for (u64 i = 0; i < count; ++i) {
    u16* const to = d.first + static_cast<i64>(i) * d.stride * shape_.pitch;
    const float* const from = acc.first + static_cast<i64>(i) * acc.stride * shape_.pitch;
    for (std::size_t lane = 0; lane < shape_.width; ++lane) {
      u32 bits = 0;
      std::memcpy(&bits, from + lane, sizeof(bits));
      if ((bits & 0x7fffffffu) > 0x7f800000u) bits = 0x7fc00000u;
      to[lane] = static_cast<u16>(bits >> shift);
    }
  }
}
void Lanes::acc_low(u64 count, LaneVectors d, LaneAccumulators acc) const { acc_half(count, d, acc, 0); }
void Lanes::acc_high(u64 count, LaneVectors d, LaneAccumulators acc) const { acc_half(count, d, acc, 16); }
void Lanes::acc_join(u64 count, LaneAccumulators d, ConstLaneVectors low, ConstLaneVectors high) const {
  for (u64 i = 0; i < count; ++i) {
    float* const to = d.first + static_cast<i64>(i) * d.stride * shape_.pitch;
    const u16* const lower = low.first + static_cast<i64>(i) * low.stride * shape_.pitch;
    const u16* const upper = high.first + static_cast<i64>(i) * high.stride * shape_.pitch;
    for (std::size_t lane = 0; lane < shape_.width; ++lane) {
      to[lane] += lanes_kernels::of_halves(lower[lane], upper[lane]);
    }
  }
}
void Lanes::acc_mac_block(u64 rows, u64 columns, LaneAccumulators d, ConstLaneVectors a, const u16* w, i64 w_row,
                          i64 w_column) const {
  kernels_->acc_mac_block(shape_, rows, columns, d, a, w, w_row, w_column);
}
void Lanes::butterfly(u64 count, LaneVectors lo, LaneVectors hi, LaneScalars w00, LaneScalars w01, LaneScalars w10,
                      LaneScalars w11) const {
  kernels_->butterfly(shape_, count, lo, hi, w00, w01, w10, w11);
}
void Lanes::complex_butterfly(u64 count, LaneVectors lo_re, LaneVectors lo_im, LaneVectors hi_re, LaneVectors hi_im,
                              LaneScalars w_re, LaneScalars w_im) const {
  kernels_->complex_butterfly(shape_, count, lo_re, lo_im, hi_re, hi_im, w_re, w_im);
}
void Lanes::ratio_butterfly(u64 count, LaneVectors lo_re, LaneVectors lo_im, LaneVectors hi_re, LaneVectors hi_im,
                            LaneScalars ratio, LaneScalars large) const {
  kernels_->ratio_butterfly(shape_, count, lo_re, lo_im, hi_re, hi_im, ratio, large);
}
void Lanes::normal_butterfly(u64 count, LaneVectors lo_out, LaneVectors hi_out, ConstLaneVectors lo,
                             ConstLaneVectors hi, LaneScalars r_lo, LaneScalars r_hi) const {
  kernels_->normal_butterfly(shape_, count, lo_out, hi_out, lo, hi, r_lo, r_hi);
}

}  // namespace bvp

#endif  // HWY_ONCE
