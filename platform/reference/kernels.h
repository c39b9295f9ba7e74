// SPDX-License-Identifier: Apache-2.0
// The reference's inner loops, vectorised on the host. A row is 16 values, one of each token of a panel.
#pragma once

#include <cstddef>

#include "models/base/types.h"

namespace bvp {

/// r() rounds to fp16, nearest even; every NaN it returns is 0x7e00. Sums are fp32, taken in ascending order.
struct ReferenceKernels {
  /// to[i] = from[i] for `count` values
  void (*widen)(std::size_t count, const u16* from, float* to);
  /// c[m] = sum over k of a[m * a_step + k] * b[k], for rows b and c
  void (*multiply)(std::size_t rows, std::size_t inner, const float* a, std::size_t a_step, const float* b, float* c);
  /// y = r(sum)
  void (*round)(std::size_t rows, const float* sums, u16* y);
  /// y = r((sum * common) * factor), one factor for each lane; both products are rounded to fp32
  void (*round_scaled)(std::size_t rows, const float* sums, float common, const u16* factors, u16* y);
  /// y = r(y * factor)
  void (*scale)(std::size_t rows, u16 factor, u16* y);
  /// y = r(y + x)
  void (*add)(std::size_t rows, const u16* x, u16* y);
  /// y = r(y + bias), one bias for each row
  void (*add_bias)(std::size_t rows, const u16* bias, u16* y);
  /// y = r(y * scale + bias), one of each for each row
  void (*scale_and_add)(std::size_t rows, const u16* scale, const u16* bias, u16* y);
  /// y = max(y, 0)
  void (*relu)(std::size_t rows, u16* y);
  /// t = r(y * sqrt(1/2)), e = erf(t), h = r(y / 2), y = r(h * e + h)
  void (*gelu)(std::size_t rows, const u16* erf, u16* y);
  /// e = erf(y), y = r(y * e + y)
  void (*gelu_of_share)(std::size_t rows, const u16* erf, u16* y);
  /// s = r(y * y), i = r(0.7978846 * 0.044715 * s + 0.7978846) with the constants in fp16, t = tanh(r(i * y)),
  /// h = r(y / 2), y = r(h * t + h)
  void (*gelu_tanh)(std::size_t rows, const u16* tanh, u16* y);
  /// y = f(y) for a function that is given as a table
  void (*look_up)(std::size_t rows, const u16* table, u16* y);
  /// Sums of layer_norm and softmax are taken in `ways` (a power of two, at most 16) interleaved parts: part j is the
  /// sum over the rows i with i mod ways = j, ascending; then part j and j + ways / 2 are added, and so on.
  ///
  /// In fp32, for n rows: mean = sum x * (1 / n) and s = 1 / sqrt(sum d * d + n * epsilon) * sqrt(n), where
  /// d = r(x - mean). y = r(r(d * s) * w + b)
  void (*layer_norm)(std::size_t rows, std::size_t ways, const u16* x, const u16* weight, const u16* bias,
                     double epsilon, u16* y);
  /// s = r(sums * factor), or r(s + mask) with the row's value of a mask that is not null, m = max s over the rows,
  /// e = exp(r(s - m)), l = r(sum of e * unit), inverse = reciprocal(l), for each lane
  void (*softmax)(std::size_t rows, std::size_t ways, const float* sums, u16 factor, const u16* mask, float unit,
                  const u16* exp, const u16* reciprocal, float* e, u16* m, u16* l, u16* inverse);
  /// Over `blocks` partial results: M = max m, w = r(exp(r(m - M)) * l), y = r(sum of o * w * reciprocal(r(sum of w))).
  /// m and l have a row a block; o has `rows` rows for each.
  void (*merge)(std::size_t blocks, std::size_t rows, const u16* m, const u16* l, const u16* o, const u16* exp,
                const u16* reciprocal, u16* y);
  /// The layers of a butterfly on 2^log_n rows, in place; twiddle [log_n, n/2, 2, 2].
  void (*butterfly)(unsigned log_n, const u16* twiddle, u16* rows);
  /// One of these layers: twiddle [n/2, 2, 2].
  void (*butterfly_layer)(unsigned log_n, unsigned layer, const u16* twiddle, u16* rows);
  /// One of these layers in normal form: ratios [n/2, 2]. Of a pair (a, b) and its ratios r, each output is r(a + r *
  /// b), or where bit 14 of r is set r(b + r' * a), r' being r without that bit.
  void (*normal_layer)(unsigned log_n, unsigned layer, const u16* ratios, u16* rows);
  /// `butterfly` in fp32, without rounding to fp16.
  void (*butterfly_float)(unsigned log_n, const float* twiddle, float* rows);
  /// softmax(rows * factor) over the rows in fp32, in place, for each lane
  void (*softmax_float)(std::size_t rows, float factor, float* values);
  /// The layers of a decimation-in-time FFT on 2^log_n rows in bit-reversed order, in place. Layer k's factors
  /// (real, imaginary) for o = 0 .. 2^k - 1 begin at index 2^k - 1.
  void (*fft)(unsigned log_n, const u16* factors, u16* real, u16* imaginary);
  /// The same with (ratio, large) in the place of each factor: t = r(b_re - ratio * b_im), r(b_im + ratio * b_re), or
  /// where bit 14 of the ratio is set, which is then left out, t = r(ratio * b_re - b_im), r(ratio * b_im + b_re); then
  /// r(a - large * t) and r(a + large * t).
  void (*fft_by_ratios)(unsigned log_n, const u16* factors, u16* real, u16* imaginary);
};

/// For the best instruction set of this host.
[[nodiscard]] const ReferenceKernels& reference_kernels();

}  // namespace bvp
