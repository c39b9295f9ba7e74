// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "platform/network/exact_transform.h"
#include "platform/network/half.h"
#include "platform/reference/fft_order.h"
#include "platform/reference/half_evaluation.h"
#include "platform/reference/rounding.h"

namespace bvp {

namespace {

/// (cos, -sin), or by ratios (ratio, large), in the order of ReferenceKernels::fft.
std::vector<u16> fft_factors(unsigned log_n, bool by_ratios) {
  const double pi = std::acos(-1.0);
  std::vector<u16> factors;
  for (unsigned k = 0; k < log_n; ++k) {
    for (u64 o = 0; o < u64{1} << k; ++o) {
      const double angle = 2 * pi * static_cast<double>(o) / static_cast<double>(u64{2} << k);
      const double real = std::cos(angle), imaginary = -std::sin(angle);
      if (!by_ratios) {
        factors.push_back(to_half(real));
        factors.push_back(to_half(imaginary));
      } else if (std::abs(imaginary) > (1 + 1e-9) * std::abs(real)) {
        factors.push_back(to_half(real / imaginary) | 0x4000);
        factors.push_back(to_half(imaginary));
      } else {
        factors.push_back(to_half(imaginary / real));
        factors.push_back(to_half(real));
      }
    }
  }
  return factors;
}

class Transform {
 public:
  explicit Transform(const HalfEvaluation& evaluation)
      : network_(evaluation.network()), options_(evaluation.options()), kernels_(evaluation.kernels()) {}

  /// The transform of x, and the residual added.
  [[nodiscard]] HalfPanels sum(const HalfPanels& x, const HalfPanels& residual) const {
    if (options_.real_fft) return real_fft2d(x, residual);
    if (has_exact_transforms(network_)) return exact_fft2d(x, residual);
    HalfPanels y = fft2d(x);
    kernels_.add(y.panels() * y.features(), residual.row(0, 0), y.row(0, 0));
    return y;
  }

 private:
  /// @param factors  fft_factors()
  void transform(unsigned log_n, const u16* factors, u16* real, u16* imaginary) const {
    (options_.twiddle_ratios ? kernels_.fft_by_ratios : kernels_.fft)(log_n, factors, real, imaginary);
  }

  [[nodiscard]] HalfPanels fft2d(const HalfPanels& x) const {
    const std::size_t hidden = network_.hidden;
    const std::size_t tokens = network_.tokens;
    const u64 padded_hidden = fft_points(network_, hidden);
    const u64 padded_tokens = fft_points(network_, tokens);
    const unsigned log_hidden = log2_of(padded_hidden);
    const unsigned log_tokens = log2_of(padded_tokens);
    const bool ortho = network_.fft_norm == FftNorm::ortho;

    HalfPanels real(x.panels(), hidden);
    HalfPanels imaginary(x.panels(), hidden);
    std::vector<u16> re(padded_hidden * panel_width);
    std::vector<u16> im(padded_hidden * panel_width);
    std::vector<u16> factors = fft_factors(log_hidden, options_.twiddle_ratios);
    for (std::size_t panel = 0; panel < x.panels(); ++panel) {
      std::fill(re.begin(), re.end(), u16{0});
      std::fill(im.begin(), im.end(), u16{0});
      for (std::size_t i = 0; i < hidden; ++i) {
        std::copy_n(x.row(panel, i), panel_width, re.data() + bit_reversed(i, log_hidden) * panel_width);
      }
      if (ortho) kernels_.scale(padded_hidden, inverse_root(padded_hidden), re.data());
      transform(log_hidden, factors.data(), re.data(), im.data());
      std::copy_n(re.data(), hidden * panel_width, real.row(panel, 0));
      std::copy_n(im.data(), hidden * panel_width, imaginary.row(panel, 0));
    }

    // Along the tokens, the 16 values of a row are neighbouring hidden columns. Tokens of the padding are all +0
    // after the first pass too, whatever their factors: 0 + t and 0 - t are +0 for both signs of a zero t.
    HalfPanels y(x.panels(), hidden);
    factors = fft_factors(log_tokens, options_.twiddle_ratios);
    re.assign(padded_tokens * panel_width, 0);
    im.assign(padded_tokens * panel_width, 0);
    for (u64 element = 0; element < network_.batch; ++element) {
      const std::size_t base = element * panels_for(tokens);
      for (std::size_t column = 0; column < hidden; column += panel_width) {
        const std::size_t columns = std::min(panel_width, hidden - column);
        std::fill(re.begin(), re.end(), u16{0});
        std::fill(im.begin(), im.end(), u16{0});
        for (std::size_t token = 0; token < tokens; ++token) {
          const std::size_t to = bit_reversed(token, log_tokens) * panel_width;
          const std::size_t panel = base + token / panel_width;
          for (std::size_t c = 0; c < columns; ++c) {
            re[to + c] = real.row(panel, column + c)[token % panel_width];
            im[to + c] = imaginary.row(panel, column + c)[token % panel_width];
          }
        }
        if (ortho) {
          kernels_.scale(padded_tokens, inverse_root(padded_tokens), re.data());
          kernels_.scale(padded_tokens, inverse_root(padded_tokens), im.data());
        }
        transform(log_tokens, factors.data(), re.data(), im.data());
        for (std::size_t token = 0; token < tokens; ++token) {
          for (std::size_t c = 0; c < columns; ++c) {
            y.row(base + token / panel_width, column + c)[token % panel_width] = re[token * panel_width + c];
          }
        }
      }
    }
    return y;
  }

  /// Columns of 16 lanes: a real and an imaginary plane.
  struct Planes {
    std::vector<u16> re, im;
    explicit Planes(std::size_t rows) : re(rows * panel_width), im(rows * panel_width) {}
  };

  /// A transform of exact length n = points * parts: which power-of-two transforms it has, and their factors.
  struct Division {
    std::size_t points, parts;
    unsigned bits;
    std::vector<u16> factors;
    Division(u64 n, u64 wanted, bool by_ratios)
        : points(wanted == 0 || power_of_two_in(n) == n ? power_of_two_in(n) : wanted),
          parts(n / points),
          bits(log2_of(points)),
          factors(fft_factors(bits, by_ratios)) {}
  };

  /// Transforms `points` rows, `step` apart from `first` on, and returns them in order.
  [[nodiscard]] Planes transformed(const Division& division, const Planes& x, std::size_t first,
                                   std::size_t step) const {
    Planes y(division.points);
    for (std::size_t i = 0; i < division.points; ++i) {
      const std::size_t from = (first + step * i) * panel_width, to = bit_reversed(i, division.bits) * panel_width;
      std::copy_n(x.re.data() + from, panel_width, y.re.data() + to);
      std::copy_n(x.im.data() + from, panel_width, y.im.data() + to);
    }
    transform(division.bits, division.factors.data(), y.re.data(), y.im.data());
    return y;
  }

  /// cos and sin of 2 pi i / n, as fp16 numbers.
  struct Circle {
    std::vector<float> cosines, sines;
    explicit Circle(u64 n) {
      const double pi = std::acos(-1.0);
      for (u64 i = 0; i < n; ++i) {
        const double angle = 2 * pi * static_cast<double>(i) / static_cast<double>(n);
        cosines.push_back(from_half(to_half(std::cos(angle))));
        sines.push_back(from_half(to_half(std::sin(angle))));
      }
    }
  };

  /// The transform of n real rows: for each of the first `points` rows, the rows `points` apart are joined into
  /// `parts` complex ones by sums in fp32, and these are transformed.
  [[nodiscard]] Planes exact_along_hidden(const Division& division, const Circle& circle, double scale,
                                          const u16* x) const {
    const std::size_t points = division.points, parts = division.parts, n = points * parts;
    Planes joined(n), y(n);
    std::vector<float> rows(parts * panel_width), weights(2 * parts * parts), sums(2 * parts * panel_width);
    std::vector<u16> rounded_sums(sums.size());
    const std::vector<u16> ones(panel_width, to_half(1));
    for (std::size_t i = 0; i < points; ++i) {
      for (std::size_t j = 0; j < parts; ++j) {
        kernels_.widen(panel_width, x + (i + j * points) * panel_width, rows.data() + j * panel_width);
        for (std::size_t k = 0; k < parts; ++k) {
          const std::size_t angle = k * (i + j * points) % n;
          weights[2 * k * parts + j] = circle.cosines[angle];
          weights[(2 * k + 1) * parts + j] = -circle.sines[angle];
        }
      }
      kernels_.multiply(2 * parts, parts, weights.data(), parts, rows.data(), sums.data());
      kernels_.round_scaled(2 * parts, sums.data(), static_cast<float>(scale), ones.data(), rounded_sums.data());
      for (std::size_t k = 0; k < parts; ++k) {
        const std::size_t to = (k * points + i) * panel_width;
        std::copy_n(rounded_sums.data() + 2 * k * panel_width, panel_width, joined.re.data() + to);
        std::copy_n(rounded_sums.data() + (2 * k + 1) * panel_width, panel_width, joined.im.data() + to);
      }
    }
    for (std::size_t k = 0; k < parts; ++k) {
      const Planes part = transformed(division, joined, k * points, 1);
      for (std::size_t i = 0; i < points; ++i) {
        std::copy_n(part.re.data() + i * panel_width, panel_width, y.re.data() + (parts * i + k) * panel_width);
        std::copy_n(part.im.data() + i * panel_width, panel_width, y.im.data() + (parts * i + k) * panel_width);
      }
    }
    return y;
  }

  enum class Results { complex, real };

  /// The transform of n complex rows, or its real part alone: the rows `parts` apart are transformed, and each position
  /// of these transforms is joined by sums in fp32. Multiplied by `scale` are the inputs or, if there is nothing to
  /// transform, the sums.
  [[nodiscard]] Planes transformed_exactly(const Division& division, const Circle& circle, double scale, Planes x,
                                           Results results) const {
    const std::size_t points = division.points, parts = division.parts, n = points * parts;
    if (points > 1 || parts == 1) {
      kernels_.scale(n, to_half(scale), x.re.data());
      kernels_.scale(n, to_half(scale), x.im.data());
    }
    if (parts == 1) return transformed(division, x, 0, 1);
    std::vector<float> rows(2 * n * panel_width);  // of each position, the real and the imaginary value of each part
    for (std::size_t j = 0; j < parts; ++j) {
      const Planes part = transformed(division, x, j, parts);
      for (std::size_t i = 0; i < points; ++i) {
        float* const to = rows.data() + 2 * (i * parts + j) * panel_width;
        kernels_.widen(panel_width, part.re.data() + i * panel_width, to);
        kernels_.widen(panel_width, part.im.data() + i * panel_width, to + panel_width);
      }
    }
    Planes y(n);
    std::vector<float> weights(2 * parts * parts), sums(parts * panel_width);
    std::vector<u16> rounded_sums(sums.size());
    const std::vector<u16> ones(panel_width, to_half(1));
    const auto join = [&](std::size_t i, bool imaginary, std::vector<u16>& plane) {
      for (std::size_t k = 0; k < parts; ++k) {
        for (std::size_t j = 0; j < parts; ++j) {
          const std::size_t angle = j * (i + k * points) % n;
          weights[2 * (k * parts + j)] = imaginary ? -circle.sines[angle] : circle.cosines[angle];
          weights[2 * (k * parts + j) + 1] = imaginary ? circle.cosines[angle] : circle.sines[angle];
        }
      }
      kernels_.multiply(parts, 2 * parts, weights.data(), 2 * parts, rows.data() + 2 * i * parts * panel_width,
                        sums.data());
      kernels_.round_scaled(parts, sums.data(), points > 1 ? 1.0F : static_cast<float>(scale), ones.data(),
                            rounded_sums.data());
      for (std::size_t k = 0; k < parts; ++k) {
        std::copy_n(rounded_sums.data() + k * panel_width, panel_width, plane.data() + (k * points + i) * panel_width);
      }
    };
    for (std::size_t i = 0; i < points; ++i) {
      join(i, false, y.re);
      if (results == Results::complex) join(i, true, y.im);
    }
    return y;
  }

  /// Transforms of which a length is no power of two, with the residual.
  [[nodiscard]] HalfPanels exact_fft2d(const HalfPanels& x, const HalfPanels& residual) const {
    const std::size_t hidden = network_.hidden, tokens = network_.tokens;
    const ExactScales scales = exact_scales(network_, false);
    const float factor = from_half(to_half(scales.factor));
    const Division of_hidden(hidden, options_.fft_hidden_points, options_.twiddle_ratios),
        of_tokens(tokens, options_.fft_token_points, options_.twiddle_ratios);
    const Circle hidden_circle(hidden), token_circle(tokens);
    HalfPanels real(x.panels(), hidden), imaginary(x.panels(), hidden);
    for (std::size_t panel = 0; panel < x.panels(); ++panel) {
      Planes y(hidden);
      if (of_hidden.parts > 1) {
        y = exact_along_hidden(of_hidden, hidden_circle, scales.hidden, x.row(panel, 0));
      } else {
        std::copy_n(x.row(panel, 0), hidden * panel_width, y.re.data());
        kernels_.scale(hidden, to_half(scales.hidden), y.re.data());
        y = transformed(of_hidden, y, 0, 1);
      }
      std::copy(y.re.begin(), y.re.end(), real.row(panel, 0));
      std::copy(y.im.begin(), y.im.end(), imaginary.row(panel, 0));
    }
    HalfPanels y(x.panels(), hidden);
    for (u64 element = 0; element < network_.batch; ++element) {
      const std::size_t base = element * panels_for(tokens);
      for (std::size_t column = 0; column < hidden; column += panel_width) {
        const std::size_t columns = std::min(panel_width, hidden - column);
        Planes planes(tokens);
        for (std::size_t token = 0; token < tokens; ++token) {
          for (std::size_t c = 0; c < columns; ++c) {
            const std::size_t panel = base + token / panel_width, lane = token % panel_width;
            planes.re[token * panel_width + c] = real.row(panel, column + c)[lane];
            planes.im[token * panel_width + c] = imaginary.row(panel, column + c)[lane];
          }
        }
        const std::vector<u16> mixed =
            transformed_exactly(of_tokens, token_circle, scales.tokens, std::move(planes), Results::real).re;
        for (std::size_t token = 0; token < tokens; ++token) {
          for (std::size_t c = 0; c < columns; ++c) {
            const std::size_t panel = base + token / panel_width, lane = token % panel_width;
            const float sum = from_half(mixed[token * panel_width + c]);
            const float of_residual = from_half(residual.row(panel, column + c)[lane]);
            // The products are exact in fp32.
            y.row(panel, column + c)[lane] =
                rounded(scales.of_residual ? factor * of_residual + sum : factor * sum + of_residual);
          }
        }
      }
    }
    return y;
  }

  /// What a real transform consists of. Its scales are powers of two; what the norm asks for beyond them is multiplied
  /// in the sum with the residual.
  struct RealTransform {
    Division of_tokens, of_hidden;
    Circle token_circle, hidden_circle;
    ExactScales scales;
    RealTransform(const Network& network, const ReferenceOptions& options)
        : of_tokens(fft_points(network, network.tokens), options.fft_token_points, options.twiddle_ratios),
          of_hidden(fft_points(network, network.hidden), options.fft_hidden_points, options.twiddle_ratios),
          token_circle(token_points()),
          hidden_circle(of_hidden.points * of_hidden.parts) {
      if (has_exact_transforms(network)) {
        scales = exact_scales(network, true);
      } else if (network.fft_norm == FftNorm::ortho) {
        const auto token_bits = static_cast<int>(of_tokens.bits), bits = token_bits + static_cast<int>(of_hidden.bits);
        scales.tokens = std::ldexp(1.0, -(token_bits / 2));
        scales.hidden = std::ldexp(1.0, token_bits / 2 - bits / 2);
        scales.factor = bits % 2 == 0 ? 1 : std::sqrt(0.5);
      }
    }
    [[nodiscard]] std::size_t token_points() const { return of_tokens.points * of_tokens.parts; }
    /// Of the spectrum along the tokens: frequencies 0 .. points/2 say all.
    [[nodiscard]] std::size_t rows() const { return token_points() / 2 + 1; }
  };
  struct Spectrum {
    HalfPanels re, im;
  };

  /// The spectra along the tokens of a batch element's columns, whose first panel is `base`. Columns c and c + hidden/2
  /// are transformed as one complex column; where that is a product with a whole matrix, each column is by itself.
  [[nodiscard]] Spectrum column_spectra(const RealTransform& real, const HalfPanels& x, std::size_t base) const {
    const std::size_t hidden = network_.hidden, tokens = network_.tokens, points = real.token_points();
    const bool packed = real.of_tokens.points > 1;
    const std::size_t half = hidden / 2, end = packed ? half : hidden;
    Spectrum spectrum{HalfPanels(panels_for(real.rows()), hidden), HalfPanels(panels_for(real.rows()), hidden)};
    const auto set = [](HalfPanels& plane, std::size_t row, std::size_t column, float value) {
      plane.row(row / panel_width, column)[row % panel_width] = rounded(value);
    };
    for (std::size_t column = 0; column < end; column += panel_width) {
      const std::size_t columns = std::min(panel_width, end - column);
      Planes planes(points);
      for (std::size_t token = 0; token < tokens; ++token) {
        const std::size_t panel = base + token / panel_width, lane = token % panel_width;
        for (std::size_t c = 0; c < columns; ++c) {
          planes.re[token * panel_width + c] = x.row(panel, column + c)[lane];
          if (packed) planes.im[token * panel_width + c] = x.row(panel, half + column + c)[lane];
        }
      }
      // The separation takes half of each sum.
      planes = packed ? transformed_exactly(real.of_tokens, real.token_circle, real.scales.tokens / 2,
                                            std::move(planes), Results::complex)
                      : exact_along_hidden(real.of_tokens, real.token_circle, real.scales.tokens, planes.re.data());
      for (std::size_t u = 0; u < real.rows(); ++u) {
        const std::size_t at = u * panel_width, mirror = (points - u) % points * panel_width;
        for (std::size_t c = 0; c < columns; ++c) {
          const float p = from_half(planes.re[at + c]), q = from_half(planes.im[at + c]);
          if (!packed) {
            set(spectrum.re, u, column + c, p);
            set(spectrum.im, u, column + c, q);
            continue;
          }
          const float mirrored_p = from_half(planes.re[mirror + c]), mirrored_q = from_half(planes.im[mirror + c]);
          set(spectrum.re, u, column + c, p + mirrored_p);
          set(spectrum.im, u, column + c, q - mirrored_q);
          set(spectrum.re, u, half + column + c, q + mirrored_q);
          set(spectrum.im, u, half + column + c, mirrored_p - p);
        }
      }
    }
    return spectrum;
  }

  /// The real part of the transform of the real matrix x, plus the residual. The spectra of the columns are transformed
  /// along hidden; rows u and -u of the result are that transform forwards and backwards.
  [[nodiscard]] HalfPanels real_fft2d(const HalfPanels& x, const HalfPanels& residual) const {
    const std::size_t hidden = network_.hidden, tokens = network_.tokens;
    const RealTransform real(network_, options_);
    const std::size_t rows = real.rows(), points = real.of_hidden.points * real.of_hidden.parts;
    const float factor = from_half(to_half(real.scales.factor));
    HalfPanels y(x.panels(), hidden);
    for (u64 element = 0; element < network_.batch; ++element) {
      const std::size_t base = element * panels_for(tokens);
      const Spectrum spectrum = column_spectra(real, x, base);
      for (std::size_t panel = 0; panel < panels_for(rows); ++panel) {
        Planes planes(points);
        std::copy_n(spectrum.re.row(panel, 0), hidden * panel_width, planes.re.data());
        std::copy_n(spectrum.im.row(panel, 0), hidden * panel_width, planes.im.data());
        const Planes mixed = transformed_exactly(real.of_hidden, real.hidden_circle, real.scales.hidden,
                                                 std::move(planes), Results::real);
        for (std::size_t lane = 0; lane < panel_width; ++lane) {
          const std::size_t u = panel * panel_width + lane, mirror = real.token_points() - u;
          if (u >= rows) break;
          for (std::size_t k = 0; k < hidden; ++k) {
            const auto set = [&](std::size_t token, std::size_t from) {
              const std::size_t of = base + token / panel_width, at = token % panel_width;
              const float value = from_half(mixed.re[from * panel_width + lane]);
              const float of_residual = from_half(residual.row(of, k)[at]);
              // The products are exact in fp32.
              y.row(of, k)[at] =
                  rounded(real.scales.of_residual ? factor * of_residual + value : factor * value + of_residual);
            };
            set(u, k);
            if (mirror > rows - 1 && mirror < tokens) set(mirror, (points - k) % points);
          }
        }
      }
    }
    return y;
  }

  const Network& network_;
  const ReferenceOptions& options_;
  const ReferenceKernels& kernels_;
};

}  // namespace

namespace half_references {

MixedHalves fft2d(const HalfEvaluation& evaluation, const HalfPanels& x, const HalfPanels& residual, u64) {
  const double share =
      has_exact_transforms(evaluation.network()) ? exact_scales(evaluation.network(), false).epsilon : 1;
  return {Transform(evaluation).sum(x, residual), share};
}

}  // namespace half_references

}  // namespace bvp
