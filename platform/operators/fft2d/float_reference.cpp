// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <vector>

#include "platform/reference/fft_order.h"
#include "platform/reference/float_evaluation.h"

namespace bvp {

namespace {

/// Decimation in time on rows of 16 columns, in place; the rows are in bit-reversed order.
void transform(unsigned bits, std::vector<float>& real, std::vector<float>& imaginary) {
  const std::size_t n = std::size_t{1} << bits;
  const double pi = std::acos(-1.0);
  for (std::size_t stride = 1; stride < n; stride *= 2) {
    for (std::size_t o = 0; o < stride; ++o) {
      const auto w = std::complex<float>(std::polar(1.0, -pi * static_cast<double>(o) / static_cast<double>(stride)));
      for (std::size_t first = o; first < n; first += 2 * stride) {
        float* ar = real.data() + first * panel_width;
        float* ai = imaginary.data() + first * panel_width;
        float* br = ar + stride * panel_width;
        float* bi = ai + stride * panel_width;
        for (std::size_t lane = 0; lane < panel_width; ++lane) {
          const float tr = w.real() * br[lane] - w.imag() * bi[lane];
          const float ti = w.real() * bi[lane] + w.imag() * br[lane];
          br[lane] = ar[lane] - tr;
          bi[lane] = ai[lane] - ti;
          ar[lane] += tr;
          ai[lane] += ti;
        }
      }
    }
  }
}

/// A transform of any length on rows of 16 columns, in place, the rows in order: transforms of the rows j, j + parts,
/// ..., for each j, then for each of their points the sum over all j.
void transform_any(std::size_t n, std::vector<float>& real, std::vector<float>& imaginary) {
  std::size_t parts = n;
  unsigned bits = 0;
  for (; parts % 2 == 0; parts /= 2) ++bits;
  const std::size_t points = n / parts;
  std::vector<float> part_re(n * panel_width), part_im(n * panel_width);
  std::vector<float> re(points * panel_width), im(re.size());
  for (std::size_t j = 0; j < parts; ++j) {
    for (std::size_t i = 0; i < points; ++i) {
      const std::size_t from = (i * parts + j) * panel_width, to = bit_reversed(i, bits) * panel_width;
      std::copy_n(real.data() + from, panel_width, re.data() + to);
      std::copy_n(imaginary.data() + from, panel_width, im.data() + to);
    }
    transform(bits, re, im);
    std::copy(re.begin(), re.end(), part_re.data() + j * points * panel_width);
    std::copy(im.begin(), im.end(), part_im.data() + j * points * panel_width);
  }
  if (parts == 1) {
    real = part_re;
    imaginary = part_im;
    return;
  }
  const double pi = std::acos(-1.0);
  std::vector<std::complex<float>> circle;
  for (std::size_t i = 0; i < n; ++i) {
    circle.emplace_back(std::polar(1.0, -2 * pi * static_cast<double>(i) / static_cast<double>(n)));
  }
  for (std::size_t k = 0; k < n; ++k) {
    std::array<float, panel_width> sum_re{}, sum_im{};
    for (std::size_t j = 0; j < parts; ++j) {
      const std::complex<float> w = circle[j * k % n];
      const std::size_t from = (j * points + k % points) * panel_width;
      for (std::size_t lane = 0; lane < panel_width; ++lane) {
        sum_re[lane] += w.real() * part_re[from + lane] - w.imag() * part_im[from + lane];
        sum_im[lane] += w.real() * part_im[from + lane] + w.imag() * part_re[from + lane];
      }
    }
    std::copy(sum_re.begin(), sum_re.end(), real.data() + k * panel_width);
    std::copy(sum_im.begin(), sum_im.end(), imaginary.data() + k * panel_width);
  }
}

}  // namespace

namespace float_references {

FloatPanels fft2d(const FloatEvaluation& evaluation, const FloatPanels& x, u64) {
  const Network& network = evaluation.network();
  const std::size_t hidden = network.hidden, hidden_points = fft_points(network, hidden);
  const std::size_t tokens = network.tokens, token_points = fft_points(network, tokens);
  const auto points = static_cast<float>(hidden_points * token_points);
  const float scale = network.fft_norm == FftNorm::ortho ? 1 / std::sqrt(points) : 1.0F;
  FloatPanels real(x.panels(), hidden);
  FloatPanels imaginary(x.panels(), hidden);
  std::vector<float> re(hidden_points * panel_width), im(re.size());
  for (std::size_t panel = 0; panel < x.panels(); ++panel) {
    std::fill(re.begin(), re.end(), 0.0F);
    std::fill(im.begin(), im.end(), 0.0F);
    std::copy_n(x.row(panel, 0), hidden * panel_width, re.data());
    transform_any(hidden_points, re, im);
    std::copy_n(re.data(), hidden * panel_width, real.row(panel, 0));
    std::copy_n(im.data(), hidden * panel_width, imaginary.row(panel, 0));
  }
  FloatPanels y(x.panels(), hidden);
  re.resize(token_points * panel_width);
  im.resize(re.size());
  for (u64 element = 0; element < network.batch; ++element) {
    const std::size_t base = element * panels_for(tokens);
    for (std::size_t column = 0; column < hidden; column += panel_width) {
      const std::size_t columns = std::min(panel_width, hidden - column);
      std::fill(re.begin(), re.end(), 0.0F);
      std::fill(im.begin(), im.end(), 0.0F);
      for (std::size_t token = 0; token < tokens; ++token) {
        const std::size_t to = token * panel_width, panel = base + token / panel_width;
        for (std::size_t c = 0; c < columns; ++c) {
          re[to + c] = real.row(panel, column + c)[token % panel_width];
          im[to + c] = imaginary.row(panel, column + c)[token % panel_width];
        }
      }
      transform_any(token_points, re, im);
      for (std::size_t token = 0; token < tokens; ++token) {
        for (std::size_t c = 0; c < columns; ++c) {
          y.row(base + token / panel_width, column + c)[token % panel_width] = re[token * panel_width + c] * scale;
        }
      }
    }
  }
  return y;
}

}  // namespace float_references

}  // namespace bvp
