// SPDX-License-Identifier: Apache-2.0
// Compiled once for each instruction set of the host (foreach_target.h).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "platform/reference/kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

#include <cmath>

#include "platform/network/half.h"
#include "platform/reference/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace bvp::reference_detail::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::CappedTag<float, 8>;
using U16 = hn::Rebind<std::uint16_t, F32>;
using Floats = hn::Vec<F32>;

constexpr std::size_t width = 16;

HWY_INLINE std::size_t step() { return hn::Lanes(F32()); }

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL

HWY_INLINE Floats load(const u16* from) {
  return hn::PromoteTo(F32(), hn::BitCast(hn::Rebind<hwy::float16_t, F32>(), hn::LoadU(U16(), from)));
}
HWY_INLINE Floats spread(u16 value) {
  return hn::PromoteTo(F32(), hn::BitCast(hn::Rebind<hwy::float16_t, F32>(), hn::Set(U16(), value)));
}
HWY_INLINE auto narrowed(Floats x) {
  const auto nan = hn::BitCast(F32(), hn::Set(hn::Rebind<std::uint32_t, F32>(), 0x7fc00000));
  return hn::DemoteTo(hn::Rebind<hwy::float16_t, F32>(), hn::IfThenElse(hn::Eq(x, x), x, nan));
}
HWY_INLINE void store(Floats x, u16* to) { hn::StoreU(hn::BitCast(U16(), narrowed(x)), U16(), to); }
HWY_INLINE Floats rounded(Floats x) { return hn::PromoteTo(F32(), narrowed(x)); }

#else  // No instruction converts fp16: value by value.

HWY_INLINE Floats load(const u16* from) {
  HWY_ALIGN float values[8];
  for (std::size_t i = 0; i < step(); ++i) values[i] = from_half(from[i]);
  return hn::Load(F32(), values);
}
HWY_INLINE Floats spread(u16 value) { return hn::Set(F32(), from_half(value)); }
HWY_INLINE void store(Floats x, u16* to) {
  HWY_ALIGN float values[8];
  hn::Store(x, F32(), values);
  for (std::size_t i = 0; i < step(); ++i) {
    to[i] = values[i] != values[i] ? u16{0x7e00} : to_half(static_cast<double>(values[i]));
  }
}
HWY_INLINE Floats rounded(Floats x) {
  u16 halves[8];
  store(x, halves);
  return load(halves);
}

#endif

HWY_INLINE Floats load(const float* from) { return hn::LoadU(F32(), from); }

HWY_INLINE Floats looked_up(const u16* table, Floats x) {
  u16 halves[8];
  store(x, halves);
  for (std::size_t i = 0; i < step(); ++i) halves[i] = table[halves[i]];
  return load(halves);
}

/// Calls f(index of the row, offset of a register of values).
template <class Function>
HWY_INLINE void for_each(std::size_t rows, const Function& f) {
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t at = row * width; at < (row + 1) * width; at += step()) f(row, at);
  }
}

void widen(std::size_t count, const u16* from, float* to) {
  std::size_t i = 0;
  for (; i + step() <= count; i += step()) hn::StoreU(load(from + i), F32(), to + i);
  for (; i < count; ++i) to[i] = from_half(from[i]);
}

// The product of two fp16 values is exact in fp32, so that MulAdd means the same with and without a fused instruction.

/// 1, 2 or 4 rows of c, two registers wide.
template <std::size_t rows>
HWY_INLINE void multiply_tile(std::size_t inner, const float* a, std::size_t a_step, const float* b, float* c) {
  Floats x0 = hn::Zero(F32()), x1 = x0, x2 = x0, x3 = x0;
  Floats y0 = x0, y1 = x0, y2 = x0, y3 = x0;
  for (std::size_t k = 0; k < inner; ++k, ++a, b += width) {
    const Floats bx = load(b), by = load(b + step());
    const Floats a0 = hn::Set(F32(), a[0]);
    x0 = hn::MulAdd(a0, bx, x0), y0 = hn::MulAdd(a0, by, y0);
    if constexpr (rows > 1) {
      const Floats a1 = hn::Set(F32(), a[a_step]);
      x1 = hn::MulAdd(a1, bx, x1), y1 = hn::MulAdd(a1, by, y1);
    }
    if constexpr (rows > 2) {
      const Floats a2 = hn::Set(F32(), a[2 * a_step]);
      x2 = hn::MulAdd(a2, bx, x2), y2 = hn::MulAdd(a2, by, y2);
      const Floats a3 = hn::Set(F32(), a[3 * a_step]);
      x3 = hn::MulAdd(a3, bx, x3), y3 = hn::MulAdd(a3, by, y3);
    }
  }
  hn::StoreU(x0, F32(), c), hn::StoreU(y0, F32(), c + step());
  if constexpr (rows > 1) hn::StoreU(x1, F32(), c + width), hn::StoreU(y1, F32(), c + width + step());
  if constexpr (rows > 2) {
    hn::StoreU(x2, F32(), c + 2 * width), hn::StoreU(y2, F32(), c + 2 * width + step());
    hn::StoreU(x3, F32(), c + 3 * width), hn::StoreU(y3, F32(), c + 3 * width + step());
  }
}

void multiply(std::size_t rows, std::size_t inner, const float* a, std::size_t a_step, const float* b, float* c) {
  for (std::size_t lane = 0; lane < width; lane += 2 * step()) {
    std::size_t m = 0;
    for (; m + 4 <= rows; m += 4) multiply_tile<4>(inner, a + m * a_step, a_step, b + lane, c + m * width + lane);
    for (; m + 2 <= rows; m += 2) multiply_tile<2>(inner, a + m * a_step, a_step, b + lane, c + m * width + lane);
    for (; m < rows; ++m) multiply_tile<1>(inner, a + m * a_step, a_step, b + lane, c + m * width + lane);
  }
}

void round(std::size_t rows, const float* sums, u16* y) {
  for_each(rows, [=](std::size_t, std::size_t at) HWY_ATTR { store(load(sums + at), y + at); });
}

void round_scaled(std::size_t rows, const float* sums, float common, const u16* factors, u16* y) {
  const Floats c = hn::Set(F32(), common);
  for_each(rows, [=](std::size_t, std::size_t at)
                     HWY_ATTR { store(hn::Mul(hn::Mul(load(sums + at), c), load(factors + at % width)), y + at); });
}

void scale(std::size_t rows, u16 factor, u16* y) {
  const Floats f = spread(factor);
  for_each(rows, [=](std::size_t, std::size_t at) HWY_ATTR { store(hn::Mul(load(y + at), f), y + at); });
}

void add(std::size_t rows, const u16* x, u16* y) {
  for_each(rows, [=](std::size_t, std::size_t at) HWY_ATTR { store(hn::Add(load(y + at), load(x + at)), y + at); });
}

void add_bias(std::size_t rows, const u16* bias, u16* y) {
  for_each(rows,
           [=](std::size_t row, std::size_t at) HWY_ATTR { store(hn::Add(load(y + at), spread(bias[row])), y + at); });
}

void scale_and_add(std::size_t rows, const u16* scale, const u16* bias, u16* y) {
  for_each(rows, [=](std::size_t row, std::size_t at)
                     HWY_ATTR { store(hn::MulAdd(load(y + at), spread(scale[row]), spread(bias[row])), y + at); });
}

HWY_INLINE Floats maximum(Floats a, Floats b) {
  return hn::IfThenElse(hn::Eq(a, a), hn::IfThenElse(hn::Gt(a, b), a, b), a);
}

void relu(std::size_t rows, u16* y) {
  for_each(rows, [=](std::size_t, std::size_t at) HWY_ATTR { store(maximum(load(y + at), hn::Zero(F32())), y + at); });
}

void gelu(std::size_t rows, const u16* erf, u16* y) {
  const Floats root = spread(to_half(0.70710678));
  const Floats half = hn::Set(F32(), 0.5F);
  for_each(rows, [=](std::size_t, std::size_t at) HWY_ATTR {
    const Floats x = load(y + at);
    const Floats e = looked_up(erf, hn::Mul(x, root));
    const Floats h = rounded(hn::Mul(x, half));
    store(hn::MulAdd(h, e, h), y + at);
  });
}

void gelu_of_share(std::size_t rows, const u16* erf, u16* y) {
  for_each(rows, [=](std::size_t, std::size_t at) HWY_ATTR {
    const Floats x = load(y + at);
    store(hn::MulAdd(x, looked_up(erf, x), x), y + at);
  });
}

void gelu_tanh(std::size_t rows, const u16* tanh, u16* y) {
  const Floats linear = spread(to_half(0.7978845608)), cubic = spread(to_half(0.7978845608 * 0.044715));
  const Floats half = hn::Set(F32(), 0.5F);
  for_each(rows, [=](std::size_t, std::size_t at) HWY_ATTR {
    const Floats x = load(y + at);
    const Floats inner = rounded(hn::MulAdd(rounded(hn::Mul(x, x)), cubic, linear));
    const Floats t = looked_up(tanh, hn::Mul(inner, x));
    const Floats h = rounded(hn::Mul(x, half));
    store(hn::MulAdd(h, t, h), y + at);
  });
}

void look_up(std::size_t rows, const u16* table, u16* y) {
  for_each(rows, [=](std::size_t, std::size_t at) HWY_ATTR { store(looked_up(table, load(y + at)), y + at); });
}

/// Sums in interleaved parts.
class PartialSums {
 public:
  explicit PartialSums(std::size_t ways) : ways_(ways) {}
  HWY_INLINE Floats part(std::size_t row) const { return load(parts_ + row % ways_ * step()); }
  HWY_INLINE void set_part(std::size_t row, Floats sum) { hn::StoreU(sum, F32(), parts_ + row % ways_ * step()); }
  HWY_INLINE Floats total() {
    for (std::size_t half = ways_ / 2; half > 0; half /= 2) {
      for (std::size_t i = 0; i < half; ++i) set_part(i, hn::Add(part(i), load(parts_ + (i + half) * step())));
    }
    return part(0);
  }

 private:
  std::size_t ways_;
  float parts_[16 * 8] = {};
};

/// sqrt(n) / sqrt(x), value by value, each step rounded to fp32; the first quotient is taken in fp64.
HWY_INLINE Floats reciprocal_deviation(Floats x, Floats root) {
  HWY_ALIGN float values[8];
  hn::Store(x, F32(), values);
  for (std::size_t i = 0; i < step(); ++i) {
    values[i] = static_cast<float>(1.0 / std::sqrt(static_cast<double>(values[i])));
  }
  return hn::Mul(hn::Load(F32(), values), root);
}

void layer_norm(std::size_t rows, std::size_t ways, const u16* x, const u16* weight, const u16* bias, double epsilon,
                u16* y) {
  const auto columns = static_cast<double>(rows);
  const Floats share = hn::Set(F32(), static_cast<float>(1 / columns));
  const Floats root = hn::Set(F32(), static_cast<float>(std::sqrt(columns)));
  const Floats offset = hn::Set(F32(), static_cast<float>(columns * epsilon));
  for (std::size_t lane = 0; lane < width; lane += step()) {
    PartialSums sum(ways);
    for (std::size_t row = 0; row < rows; ++row) {
      sum.set_part(row, hn::Add(sum.part(row), load(x + row * width + lane)));
    }
    const Floats mean = hn::Mul(sum.total(), share);
    PartialSums squares(ways);
    for (std::size_t row = 0; row < rows; ++row) {
      const Floats d = rounded(hn::Sub(load(x + row * width + lane), mean));
      squares.set_part(row, hn::MulAdd(d, d, squares.part(row)));
    }
    const Floats s = reciprocal_deviation(hn::Add(squares.total(), offset), root);
    for (std::size_t row = 0; row < rows; ++row) {
      const Floats d = rounded(hn::Sub(load(x + row * width + lane), mean));
      const Floats normal = rounded(hn::Mul(d, s));
      store(hn::MulAdd(normal, spread(weight[row]), spread(bias[row])), y + row * width + lane);
    }
  }
}

void softmax(std::size_t rows, std::size_t ways, const float* sums, u16 factor, const u16* mask, float unit,
             const u16* exp, const u16* reciprocal, float* e, u16* maxima, u16* totals, u16* inverse) {
  const Floats f = spread(factor);
  for (std::size_t lane = 0; lane < width; lane += step()) {
    const auto score = [=](std::size_t row) HWY_ATTR {
      const Floats s = rounded(hn::Mul(load(sums + row * width + lane), f));
      return mask == nullptr ? s : rounded(hn::Add(s, spread(mask[row])));
    };
    Floats m = score(0);
    for (std::size_t row = 0; row < rows; ++row) {
      const Floats s = score(row);
      hn::StoreU(s, F32(), e + row * width + lane);
      m = maximum(s, m);
    }
    PartialSums total(ways);
    for (std::size_t row = 0; row < rows; ++row) {
      float* at = e + row * width + lane;
      const Floats value = looked_up(exp, hn::Sub(load(at), m));
      hn::StoreU(value, F32(), at);
      total.set_part(row, hn::Add(total.part(row), value));
    }
    const Floats l = hn::Mul(total.total(), hn::Set(F32(), unit));
    store(m, maxima + lane);
    store(l, totals + lane);
    store(looked_up(reciprocal, l), inverse + lane);
  }
}

void merge(std::size_t blocks, std::size_t rows, const u16* m, const u16* l, const u16* o, const u16* exp,
           const u16* reciprocal, u16* y) {
  for (std::size_t lane = 0; lane < width; lane += step()) {
    Floats largest = load(m + lane);
    for (std::size_t block = 1; block < blocks; ++block) largest = maximum(load(m + block * width + lane), largest);
    const auto weight = [&](std::size_t block) HWY_ATTR {
      const Floats e = looked_up(exp, hn::Sub(load(m + block * width + lane), largest));
      return rounded(hn::Mul(e, load(l + block * width + lane)));
    };
    Floats total = hn::Zero(F32());
    for (std::size_t block = 0; block < blocks; ++block) total = hn::Add(total, weight(block));
    const Floats inverse = looked_up(reciprocal, total);
    for (std::size_t row = 0; row < rows; ++row) {
      Floats sum = hn::Zero(F32());
      for (std::size_t block = 0; block < blocks; ++block) {
        sum = hn::MulAdd(load(o + (block * rows + row) * width + lane), weight(block), sum);
      }
      store(hn::Mul(sum, inverse), y + row * width + lane);
    }
  }
}

void butterfly_layer(unsigned log_n, unsigned layer, const u16* twiddle, u16* rows) {
  const std::size_t n = std::size_t{1} << log_n, stride = std::size_t{1} << layer;
  for (std::size_t first = 0; first < n; first += 2 * stride) {
    for (std::size_t i = first; i < first + stride; ++i, twiddle += 4) {
      u16* lo = rows + i * width;
      u16* hi = lo + stride * width;
      const Floats t00 = spread(twiddle[0]), t01 = spread(twiddle[1]);
      const Floats t10 = spread(twiddle[2]), t11 = spread(twiddle[3]);
      for (std::size_t lane = 0; lane < width; lane += step()) {
        const Floats a = load(lo + lane), b = load(hi + lane);
        store(hn::MulAdd(t01, b, rounded(hn::Mul(t00, a))), lo + lane);
        store(hn::MulAdd(t11, b, rounded(hn::Mul(t10, a))), hi + lane);
      }
    }
  }
}

void butterfly(unsigned log_n, const u16* twiddle, u16* rows) {
  for (unsigned layer = 0; layer < log_n; ++layer, twiddle += std::size_t{2} << log_n) {
    butterfly_layer(log_n, layer, twiddle, rows);
  }
}

void normal_layer(unsigned log_n, unsigned layer, const u16* ratios, u16* rows) {
  constexpr unsigned swap = 0x4000;
  const std::size_t n = std::size_t{1} << log_n, stride = std::size_t{1} << layer;
  for (std::size_t first = 0; first < n; first += 2 * stride) {
    for (std::size_t i = first; i < first + stride; ++i, ratios += 2) {
      u16* lo = rows + i * width;
      u16* hi = lo + stride * width;
      const Floats r0 = spread(static_cast<u16>(ratios[0] & ~swap)), r1 = spread(static_cast<u16>(ratios[1] & ~swap));
      for (std::size_t lane = 0; lane < width; lane += step()) {
        const Floats a = load(lo + lane), b = load(hi + lane);
        store((ratios[0] & swap) != 0 ? hn::MulAdd(r0, a, b) : hn::MulAdd(r0, b, a), lo + lane);
        store((ratios[1] & swap) != 0 ? hn::MulAdd(r1, a, b) : hn::MulAdd(r1, b, a), hi + lane);
      }
    }
  }
}

void butterfly_float(unsigned log_n, const float* twiddle, float* rows) {
  const std::size_t n = std::size_t{1} << log_n;
  for (std::size_t stride = 1; stride < n; stride *= 2) {
    for (std::size_t first = 0; first < n; first += 2 * stride) {
      for (std::size_t o = 0; o < stride; ++o, twiddle += 4) {
        const Floats t00 = hn::Set(F32(), twiddle[0]), t01 = hn::Set(F32(), twiddle[1]);
        const Floats t10 = hn::Set(F32(), twiddle[2]), t11 = hn::Set(F32(), twiddle[3]);
        float* lo = rows + (first + o) * width;
        float* hi = lo + stride * width;
        for (std::size_t lane = 0; lane < width; lane += step()) {
          const Floats a = load(lo + lane), b = load(hi + lane);
          hn::StoreU(hn::MulAdd(t01, b, hn::Mul(t00, a)), F32(), lo + lane);
          hn::StoreU(hn::MulAdd(t11, b, hn::Mul(t10, a)), F32(), hi + lane);
        }
      }
    }
  }
}

void softmax_float(std::size_t rows, float factor, float* values) {
  for (std::size_t lane = 0; lane < width; lane += step()) {
    Floats largest = load(values + lane);
    for (std::size_t row = 1; row < rows; ++row) largest = hn::Max(largest, load(values + row * width + lane));
    Floats sum = hn::Zero(F32());
    for (std::size_t row = 0; row < rows; ++row) {
      float* at = values + row * width + lane;
      const Floats e = hn::Exp(F32(), hn::Mul(hn::Sub(load(at), largest), hn::Set(F32(), factor)));
      hn::StoreU(e, F32(), at);
      sum = hn::Add(sum, e);
    }
    for (std::size_t row = 0; row < rows; ++row) {
      float* at = values + row * width + lane;
      hn::StoreU(hn::Div(load(at), sum), F32(), at);
    }
  }
}

void fft(unsigned log_n, const u16* factors, u16* real, u16* imaginary) {
  const std::size_t n = std::size_t{1} << log_n;
  for (std::size_t stride = 1; stride < n; stride *= 2) {
    for (std::size_t first = 0; first < n; first += 2 * stride) {
      for (std::size_t o = 0; o < stride; ++o) {
        const u16* factor = factors + 2 * (stride - 1 + o);
        const Floats wr = spread(factor[0]), wi = spread(factor[1]);
        const std::size_t lo = (first + o) * width;
        const std::size_t hi = lo + stride * width;
        for (std::size_t lane = 0; lane < width; lane += step()) {
          const Floats ar = load(real + lo + lane), ai = load(imaginary + lo + lane);
          const Floats br = load(real + hi + lane), bi = load(imaginary + hi + lane);
          const Floats tr = rounded(hn::NegMulAdd(wi, bi, rounded(hn::Mul(wr, br))));
          const Floats ti = rounded(hn::MulAdd(wi, br, rounded(hn::Mul(wr, bi))));
          store(hn::Add(ar, tr), real + lo + lane);
          store(hn::Add(ai, ti), imaginary + lo + lane);
          store(hn::Sub(ar, tr), real + hi + lane);
          store(hn::Sub(ai, ti), imaginary + hi + lane);
        }
      }
    }
  }
}

void fft_by_ratios(unsigned log_n, const u16* factors, u16* real, u16* imaginary) {
  constexpr u16 swap = 0x4000;
  const std::size_t n = std::size_t{1} << log_n;
  for (std::size_t stride = 1; stride < n; stride *= 2) {
    for (std::size_t i = 0; i < n; ++i) {
      if ((i & stride) != 0) continue;
      const u16* factor = factors + 2 * (stride - 1 + i % stride);
      const bool swapped = (factor[0] & swap) != 0;
      const Floats ratio = spread(static_cast<u16>(factor[0] & ~swap)), large = spread(factor[1]);
      const std::size_t lo = i * width, hi = lo + stride * width;
      for (std::size_t lane = 0; lane < width; lane += step()) {
        const Floats br = load(real + hi + lane), bi = load(imaginary + hi + lane);
        const Floats tr = rounded(swapped ? hn::MulSub(ratio, br, bi) : hn::NegMulAdd(ratio, bi, br));
        const Floats ti = rounded(swapped ? hn::MulAdd(ratio, bi, br) : hn::MulAdd(ratio, br, bi));
        const Floats ar = load(real + lo + lane), ai = load(imaginary + lo + lane);
        store(hn::MulAdd(large, tr, ar), real + lo + lane);
        store(hn::MulAdd(large, ti, ai), imaginary + lo + lane);
        store(hn::NegMulAdd(large, tr, ar), real + hi + lane);
        store(hn::NegMulAdd(large, ti, ai), imaginary + hi + lane);
      }
    }
  }
}

const ReferenceKernels* kernels() {
  static constexpr ReferenceKernels table{&widen,         &multiply,  &round,           &round_scaled, &scale,
                                          &add,           &add_bias,  &scale_and_add,   &relu,         &gelu,
                                          &gelu_of_share, &gelu_tanh, &look_up,         &layer_norm,   &softmax,
                                          &merge,         &butterfly, &butterfly_layer, &normal_layer, &butterfly_float,
                                          &softmax_float, &fft,       &fft_by_ratios};
  return &table;
}

}  // namespace bvp::reference_detail::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace bvp {
namespace reference_detail {
HWY_EXPORT(kernels);
}  // namespace reference_detail

const ReferenceKernels& reference_kernels() { return *HWY_DYNAMIC_DISPATCH(reference_detail::kernels)(); }

}  // namespace bvp
#endif
