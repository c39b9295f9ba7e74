// SPDX-License-Identifier: Apache-2.0
// The reference's inner loops, vectorised on the host. A row is 16 values, one of each token of a panel.
#pragma once

#include <cstddef>

#include "models/common/types.h"

namespace bvp {

/// r() rounds to fp16, nearest even; every NaN it returns is 0x7e00. Sums are fp32, taken in ascending order.
struct ReferenceKernels {
  /// to[i] = from[i] for `count` values
  void (*widen)(std::size_t count, const u16* from, float* to);
  /// c[m] = sum over k of a[m * a_step + k] * b[k], for rows b and c
  void (*multiply)(std::size_t rows, std::size_t inner, const float* a, std::size_t a_step, const float* b, float* c);
  /// y = r(sum)
  void (*round)(std::size_t rows, const float* sums, u16* y);
  /// y = r(sum * factor), one factor for each lane
  void (*round_scaled)(std::size_t rows, const float* sums, const u16* factors, u16* y);
  /// y = r(y * factor)
  void (*scale)(std::size_t rows, u16 factor, u16* y);
  /// y = r(y + x)
  void (*add)(std::size_t rows, const u16* x, u16* y);
  /// y = r(y + bias), one bias for each row
  void (*add_bias)(std::size_t rows, const u16* bias, u16* y);
  /// y = max(y, 0)
  void (*relu)(std::size_t rows, u16* y);
  /// t = r(y * sqrt(1/2)), e = erf(t), h = r(y / 2), y = r(h * e + h)
  void (*gelu)(std::size_t rows, const u16* erf, u16* y);
  /// mean = r(sum x * inverse), d = r(x - mean), v = r(r(sum d * d * inverse) + epsilon), y = r(r(d * rsqrt(v)) * w +
  /// b)
  void (*layer_norm)(std::size_t rows, const u16* x, const u16* weight, const u16* bias, u16 inverse, u16 epsilon,
                     const u16* rsqrt, u16* y);
  /// s = r(sum * factor), m = max s over the rows, e = exp(r(s - m)); inverse = reciprocal(r(sum of e)), for each lane
  void (*softmax)(std::size_t rows, const float* sums, u16 factor, const u16* exp, const u16* reciprocal, float* e,
                  u16* inverse);
  /// The layers of a butterfly on 2^log_n rows, in place; twiddle [log_n, n/2, 2, 2].
  void (*butterfly)(unsigned log_n, const u16* twiddle, u16* rows);
  /// The layers of a decimation-in-time FFT on 2^log_n rows in bit-reversed order, in place. Layer k's factors
  /// (real, imaginary) for o = 0 .. 2^k - 1 begin at index 2^k - 1.
  void (*fft)(unsigned log_n, const u16* factors, u16* real, u16* imaginary);
};

/// For the best instruction set of this host.
[[nodiscard]] const ReferenceKernels& reference_kernels();

}  // namespace bvp
