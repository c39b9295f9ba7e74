// SPDX-License-Identifier: Apache-2.0
// IEEE binary16 as bit patterns: portable conversions for weights, inputs and files.
#pragma once

#include <cstring>

#include "models/base/types.h"

namespace bvp {

/// The nearest binary16, ties to even; values beyond the largest finite one become infinite, NaN stays NaN.
inline u16 to_half(double value) {
  u64 bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  const auto sign = static_cast<u16>((bits >> 48) & 0x8000);
  const int exponent = static_cast<int>((bits >> 52) & 0x7ff) - 1023;
  const u64 fraction = bits & 0xfffffffffffffULL;
  if (exponent == 1024) return static_cast<u16>(sign | 0x7c00 | (fraction != 0 ? 0x200 | (fraction >> 42) : 0));
  if (exponent > 15) return static_cast<u16>(sign | 0x7c00);
  if (exponent < -25) return sign;
  // Below 2^-14 the result is subnormal: the leading one becomes explicit and more bits fall off.
  const bool normal = exponent >= -14;
  const u64 significand = (u64{1} << 52) | fraction;
  const int shift = normal ? 42 : 42 + (-14 - exponent);
  u64 kept = significand >> shift;
  const u64 rest = significand & ((u64{1} << shift) - 1);
  const u64 half = u64{1} << (shift - 1);
  if (rest > half || (rest == half && (kept & 1) != 0)) ++kept;
  // Adding (instead of or-ing) lets a carry out of the fraction raise the exponent, up to infinity.
  if (normal) kept += (static_cast<u64>(exponent + 15) - 1) << 10;
  return static_cast<u16>(sign | kept);
}

inline float from_half(u16 half) {
  const u32 sign = static_cast<u32>(half & 0x8000) << 16;
  const u32 exponent = (half >> 10) & 0x1f;
  const u32 fraction = half & 0x3ff;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 5.9604644775390625e-8F;  // 2^-24, exact
    return sign != 0 ? -magnitude : magnitude;
  }
  const u32 bits = sign | (exponent == 31 ? 0x7f800000 : (exponent + 112) << 23) | (fraction << 13);
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// The lower and the upper 16 bits of the bit pattern of an fp32 value.
struct FloatHalves {
  u16 low = 0, high = 0;
};
inline FloatHalves float_halves(double value) {
  const auto rounded = static_cast<float>(value);
  u32 bits = 0;
  std::memcpy(&bits, &rounded, sizeof bits);
  return {static_cast<u16>(bits), static_cast<u16>(bits >> 16)};
}

inline bool is_finite_half(u16 half) { return (half & 0x7c00) != 0x7c00; }

}  // namespace bvp
