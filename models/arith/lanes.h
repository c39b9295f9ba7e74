// SPDX-License-Identifier: Apache-2.0
// The arithmetic of SIMD lanes: runs of vector operations on fp16 bit patterns, vectorised on the host.
#pragma once

#include <cstddef>

#include "models/base/types.h"

namespace bvp {

/// `count` vectors of lanes; consecutive ones lie `stride` vectors apart (0 and negative strides are fine).
struct LaneVectors {
  u16* first = nullptr;
  i64 stride = 0;
};
struct ConstLaneVectors {
  const u16* first = nullptr;
  i64 stride = 0;
};
/// fp16 scalars, each broadcast over the lanes of one vector; the stride counts scalars.
struct LaneScalars {
  const u16* first = nullptr;
  i64 stride = 0;
};
/// fp32 accumulators, laid out like vectors.
struct LaneAccumulators {
  float* first = nullptr;
  i64 stride = 0;
};

/// The functions of Lanes for one instruction set of the host. The struct has many members because each kind of
/// instruction has a function.
struct LaneKernels {
  /// Words of a vector that are processed, and the distance in words from one vector to the next.
  struct Shape {
    std::size_t width;
    std::ptrdiff_t pitch;
  };
  void (*mul_scalar)(const Shape&, u64, LaneVectors, ConstLaneVectors, LaneScalars);
  void (*fma_scalar)(const Shape&, u64, LaneVectors, ConstLaneVectors, LaneScalars, ConstLaneVectors);
  void (*fnma_scalar)(const Shape&, u64, LaneVectors, ConstLaneVectors, LaneScalars, ConstLaneVectors);
  void (*fma_scalar_scalar)(const Shape&, u64, LaneVectors, ConstLaneVectors, LaneScalars, LaneScalars);
  void (*fma_swapping)(const Shape&, u64, LaneVectors, ConstLaneVectors, ConstLaneVectors, LaneScalars);
  void (*fnma_swapping)(const Shape&, u64, LaneVectors, ConstLaneVectors, ConstLaneVectors, LaneScalars);
  void (*add_scalar)(const Shape&, u64, LaneVectors, ConstLaneVectors, LaneScalars);
  void (*max_scalar)(const Shape&, u64, LaneVectors, ConstLaneVectors, LaneScalars);
  void (*mul)(const Shape&, u64, LaneVectors, ConstLaneVectors, ConstLaneVectors);
  void (*fma)(const Shape&, u64, LaneVectors, ConstLaneVectors, ConstLaneVectors, ConstLaneVectors);
  void (*add)(const Shape&, u64, LaneVectors, ConstLaneVectors, ConstLaneVectors);
  void (*sub)(const Shape&, u64, LaneVectors, ConstLaneVectors, ConstLaneVectors);
  void (*max)(const Shape&, u64, LaneVectors, ConstLaneVectors, ConstLaneVectors);
  void (*lower_halves)(const Shape&, u64, LaneVectors, ConstLaneVectors, ConstLaneVectors, u32);
  void (*upper_halves)(const Shape&, u64, LaneVectors, ConstLaneVectors, ConstLaneVectors, u32);
  void (*acc_zero)(const Shape&, u64, LaneAccumulators);
  void (*acc_add)(const Shape&, u64, LaneAccumulators, ConstLaneVectors);
  void (*acc_mac)(const Shape&, u64, LaneAccumulators, ConstLaneVectors, ConstLaneVectors);
  void (*acc_mac_scalar)(const Shape&, u64, LaneAccumulators, ConstLaneVectors, LaneScalars);
  void (*acc_round)(const Shape&, u64, LaneVectors, LaneAccumulators);
  void (*acc_round_vector)(const Shape&, u64, LaneVectors, LaneAccumulators, ConstLaneVectors);
  void (*acc_round_scalar)(const Shape&, u64, LaneVectors, LaneAccumulators, LaneScalars);
  void (*acc_subtract)(const Shape&, u64, LaneVectors, LaneAccumulators, ConstLaneVectors);
  void (*acc_mac_block)(const Shape&, u64, u64, LaneAccumulators, ConstLaneVectors, const u16*, i64, i64);
  void (*butterfly)(const Shape&, u64, LaneVectors, LaneVectors, LaneScalars, LaneScalars, LaneScalars, LaneScalars);
  void (*complex_butterfly)(const Shape&, u64, LaneVectors, LaneVectors, LaneVectors, LaneVectors, LaneScalars,
                            LaneScalars);
  void (*ratio_butterfly)(const Shape&, u64, LaneVectors, LaneVectors, LaneVectors, LaneVectors, LaneScalars,
                          LaneScalars);
  void (*normal_butterfly)(const Shape&, u64, LaneVectors, LaneVectors, ConstLaneVectors, ConstLaneVectors, LaneScalars,
                           LaneScalars);
};

/// Every function does what `count` single vector instructions, issued one after the other, would do: a vector may
/// be read that an earlier one of the same run has written. Vectors are the same or disjoint, never partly overlapping.
///
/// r() rounds to IEEE binary16, nearest even, with subnormals and infinities; every NaN result is 0x7e00. The product
/// of two fp16 values is exact in fp32, so a fused multiply-add rounds its sum to fp32 and then with r(). Results are
/// the same on every host and with every instruction set.
///
/// Lanes are processed in groups of 16: up to `lanes` rounded up to 16 words of a vector are read and written.
class Lanes {
 public:
  static constexpr u32 max_lanes = 64;

  /// @param lanes  1 to max_lanes
  /// @param pitch  distance of vector i from vector i + 1 in words, at least `lanes` rounded up to 16
  /// @throws std::invalid_argument
  Lanes(u32 lanes, u32 pitch);

  /// d = r(a * w)
  void mul_scalar(u64 count, LaneVectors d, ConstLaneVectors a, LaneScalars w) const;
  /// d = r(w * a + c)
  void fma_scalar(u64 count, LaneVectors d, ConstLaneVectors a, LaneScalars w, ConstLaneVectors c) const;
  /// d = r(c - w * a)
  void fnma_scalar(u64 count, LaneVectors d, ConstLaneVectors a, LaneScalars w, ConstLaneVectors c) const;
  /// d = r(a * w + s)
  void fma_scalar_scalar(u64 count, LaneVectors d, ConstLaneVectors a, LaneScalars w, LaneScalars s) const;
  /// d = r(a + b * w). Where bit 14 of w is set, the vectors change places and the bit counts as clear:
  /// d = r(b + a * w'), w' being w without the bit. A w of magnitude below 2 has the bit clear.
  void fma_swapping(u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b, LaneScalars w) const;
  /// d = r(a - b * w). Where bit 14 of w is set: d = r(a * w' - b), w' being w without the bit.
  void fnma_swapping(u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b, LaneScalars w) const;
  /// d = r(a + s)
  void add_scalar(u64 count, LaneVectors d, ConstLaneVectors a, LaneScalars s) const;
  /// d = a > s ? a : s, NaN if either is
  void max_scalar(u64 count, LaneVectors d, ConstLaneVectors a, LaneScalars s) const;
  /// d = r(a * b)
  void mul(u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b) const;
  /// d = r(a * b + c)
  void fma(u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b, ConstLaneVectors c) const;
  /// d = r(a + b)
  void add(u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b) const;
  /// d = r(a - b)
  void sub(u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b) const;
  /// d = a > b ? a : b, NaN if either is
  void max(u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b) const;

  /// For each group of 2 * distance lanes, the result is a's lower (upper) half of the group, then b's; the bits are
  /// not changed. Where b is the vector that lies `distance` behind a, log2(lanes) rounds of the two functions
  /// transpose lanes x lanes values.
  /// @param distance  a power of two; the number of lanes is a multiple of 2 * distance
  void lower_halves(u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b, u32 distance) const;
  void upper_halves(u64 count, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b, u32 distance) const;

  /// d = r(f(a)), where f is exact: the correctly rounded value.
  void exp(u64 count, LaneVectors d, ConstLaneVectors a) const;
  void erf(u64 count, LaneVectors d, ConstLaneVectors a) const;
  void reciprocal(u64 count, LaneVectors d, ConstLaneVectors a) const;
  void rsqrt(u64 count, LaneVectors d, ConstLaneVectors a) const;
  void tanh(u64 count, LaneVectors d, ConstLaneVectors a) const;

  /// d = 0
  void acc_zero(u64 count, LaneAccumulators d) const;
  /// d = d + a, in fp32
  void acc_add(u64 count, LaneAccumulators d, ConstLaneVectors a) const;
  /// d = d + a * b, in fp32
  void acc_mac(u64 count, LaneAccumulators d, ConstLaneVectors a, ConstLaneVectors b) const;
  /// d = d + a * w, in fp32
  void acc_mac_scalar(u64 count, LaneAccumulators d, ConstLaneVectors a, LaneScalars w) const;
  /// d = r(acc)
  void acc_round(u64 count, LaneVectors d, LaneAccumulators acc) const;
  /// d = r(acc * a), the product rounded to fp32 first
  void acc_round_vector(u64 count, LaneVectors d, LaneAccumulators acc, ConstLaneVectors a) const;
  /// d = r(acc * w), the product rounded to fp32 first
  void acc_round_scalar(u64 count, LaneVectors d, LaneAccumulators acc, LaneScalars w) const;

  /// d = r(a - acc), the difference rounded to fp32 first
  void acc_subtract(u64 count, LaneVectors d, LaneAccumulators acc, ConstLaneVectors a) const;
  /// d = acc * the fp32 value whose bits have these lower and upper halves, in fp32
  void acc_scale(u64 count, LaneAccumulators d, LaneAccumulators acc, LaneScalars low, LaneScalars high) const;
  /// d = 1 / sqrt(acc), correctly rounded to fp32
  void acc_rsqrt(u64 count, LaneAccumulators d, LaneAccumulators acc) const;

  /// The lower (upper) 16 bits of the accumulators' fp32 bits; every NaN is 0x7fc00000.
  void acc_low(u64 count, LaneVectors d, LaneAccumulators acc) const;
  void acc_high(u64 count, LaneVectors d, LaneAccumulators acc) const;
  /// d = d + the fp32 value whose bits have these lower and upper halves
  void acc_join(u64 count, LaneAccumulators d, ConstLaneVectors low, ConstLaneVectors high) const;

  /// d[j] = d[j] + a[k] * w[j * w_row + k * w_column], in fp32, for all j < rows and k < columns, k ascending for each
  /// j: the same as `rows` runs of acc_mac_scalar. The accumulators are distinct (stride not 0 unless rows is 1).
  void acc_mac_block(u64 rows, u64 columns, LaneAccumulators d, ConstLaneVectors a, const u16* w, i64 w_row,
                     i64 w_column) const;

  /// `count` butterflies in place, lo' = r(w01 * hi + r(w00 * lo)) and hi' = r(w11 * hi + r(w10 * lo)): the same as
  /// mul_scalar, mul_scalar, fma_scalar, fma_scalar. No lo vector is also a hi vector.
  void butterfly(u64 count, LaneVectors lo, LaneVectors hi, LaneScalars w00, LaneScalars w01, LaneScalars w10,
                 LaneScalars w11) const;

  /// `count` complex butterflies in place. With m = w * hi, its parts m_re = r(r(w_re * hi_re) - w_im * hi_im) and
  /// m_im = r(r(w_re * hi_im) + w_im * hi_re): hi' = r(lo - m) and lo' = r(lo + m). The same as mul_scalar twice,
  /// fnma_scalar, fma_scalar, sub twice, add twice. The two parts of lo have one stride, those of hi another; all
  /// vectors are disjoint.
  void complex_butterfly(u64 count, LaneVectors lo_re, LaneVectors lo_im, LaneVectors hi_re, LaneVectors hi_im,
                         LaneScalars w_re, LaneScalars w_im) const;

  /// `count` butterflies of an FFT by ratios, in place: t_re is fnma_swapping of hi_re, hi_im and ratio, t_im is
  /// fma_swapping of hi_im, hi_re and ratio; hi = r(lo - t * large), lo = r(lo + t * large), in both planes.
  void ratio_butterfly(u64 count, LaneVectors lo_re, LaneVectors lo_im, LaneVectors hi_re, LaneVectors hi_im,
                       LaneScalars ratio, LaneScalars large) const;

  /// `count` butterflies in normal form: lo_out is fma_swapping of lo, hi and r_lo, hi_out that of lo, hi and r_hi.
  /// Both inputs of a butterfly are read before its outputs are written, lo_out first.
  void normal_butterfly(u64 count, LaneVectors lo_out, LaneVectors hi_out, ConstLaneVectors lo, ConstLaneVectors hi,
                        LaneScalars r_lo, LaneScalars r_hi) const;

 private:
  void acc_half(u64 count, LaneVectors d, LaneAccumulators acc, unsigned shift) const;

  LaneKernels::Shape shape_;
  const LaneKernels* kernels_;  // static tables
};

}  // namespace bvp
