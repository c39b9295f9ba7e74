// SPDX-License-Identifier: Apache-2.0
// The references' 2D-FFT mixing against FFTW.
#include <fftw3.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <complex>
#include <vector>

#include "platform/network/half.h"
#include "platform/network/weights.h"
#include "platform/reference/float_reference.h"
#include "platform/reference/reference.h"

namespace {

using namespace bvp;

/// Real part of the two-dimensional FFT of [tokens, hidden], zero-padded to `rows` x `columns` points and cut back.
std::vector<double> fftw_mixing(const std::vector<double>& x, u64 tokens, u64 hidden, u64 rows, u64 columns,
                                bool ortho) {
  std::vector<std::complex<double>> plane(rows * columns);
  for (u64 t = 0; t < tokens; ++t) {
    for (u64 c = 0; c < hidden; ++c) plane[t * columns + c] = x[t * hidden + c];
  }
  auto* data = reinterpret_cast<fftw_complex*>(plane.data());  // the layout that FFTW documents
  fftw_plan plan =
      fftw_plan_dft_2d(static_cast<int>(rows), static_cast<int>(columns), data, data, FFTW_FORWARD, FFTW_ESTIMATE);
  fftw_execute(plan);
  fftw_destroy_plan(plan);
  const double scale = ortho ? 1 / std::sqrt(static_cast<double>(rows * columns)) : 1;
  std::vector<double> y;
  for (u64 t = 0; t < tokens; ++t) {
    for (u64 c = 0; c < hidden; ++c) y.push_back(plane[t * columns + c].real() * scale);
  }
  return y;
}

}  // namespace

TEST_CASE("reference: 2D-FFT mixing as FFTW computes it", "[reference]") {
  struct Size {
    u64 tokens, hidden;
  };
  struct Case {
    Size size;
    FftLength length;
  };
  std::vector<Case> cases;
  for (const Size size : {Size{16, 16}, {128, 64}, {49, 48}, {7, 100}, {1, 32}, {65, 1}}) {
    cases.push_back({size, FftLength::power_of_two});
    cases.push_back({size, FftLength::exact});
  }
  for (const Size size : {Size{197, 96}, {32, 768}, {48, 40}, {30, 15}, {15, 9}, {3, 2}, {1, 7}})
    cases.push_back({size, FftLength::exact});
  for (const auto& [size, length] : cases) {
    for (const FftNorm fft_norm : {FftNorm::ortho, FftNorm::none}) {
      Network network;
      network.tokens = size.tokens;
      network.hidden = size.hidden;
      network.ffn = 4;
      network.norm = NormPlacement::pre;
      network.fft_norm = fft_norm;
      network.fft_length = length;
      network.layers = {{Mixing::fft2d, LinearKind::dense, LinearKind::dense}};
      TensorMap weights = random_weights(network, 5);
      // Without its feed-forward part the layer is x + mix(norm1(x)).
      for (const char* name : {"layers.0.ffn.down.weight", "layers.0.ffn.down.bias"}) {
        weights.at(name).data.assign(weights.at(name).data.size(), 0);
      }
      const Tensor input = random_input(network, 5);
      std::vector<double> normal(input.data.size());
      for (u64 t = 0; t < size.tokens; ++t) {
        double mean = 0;
        double square = 0;
        for (u64 c = 0; c < size.hidden; ++c) {
          const auto value = static_cast<double>(from_half(input.data[t * size.hidden + c]));
          mean += value / static_cast<double>(size.hidden);
          square += value * value / static_cast<double>(size.hidden);
        }
        for (u64 c = 0; c < size.hidden; ++c) {
          const u64 i = t * size.hidden + c;
          const auto weight = static_cast<double>(from_half(weights.at("layers.0.norm1.weight").data[c]));
          const auto bias = static_cast<double>(from_half(weights.at("layers.0.norm1.bias").data[c]));
          const double centred = static_cast<double>(from_half(input.data[i])) - mean;
          normal[i] = centred / std::sqrt(square - mean * mean + network.epsilon) * weight + bias;
        }
      }
      const std::vector<double> mixed = fftw_mixing(normal, size.tokens, size.hidden, fft_points(network, size.tokens),
                                                    fft_points(network, size.hidden), fft_norm == FftNorm::ortho);
      std::vector<float> expected;
      for (std::size_t i = 0; i < mixed.size(); ++i) {
        expected.push_back(static_cast<float>(mixed[i] + static_cast<double>(from_half(input.data[i]))));
      }
      const std::vector<float> in_float = reference_float(network, weights, 0, input);
      double worst = 0;
      double largest = 0;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        worst = std::max(worst, static_cast<double>(std::abs(in_float[i] - expected[i])));
        largest = std::max(largest, static_cast<double>(std::abs(expected[i])));
      }
      INFO(size.tokens << " x " << size.hidden);
      CHECK(worst < 3e-6 * largest);
      const TensorMap in_half = reference_network(network, weights, input);
      const double error = relative_error(in_half.at("layers.0.output").data, expected, size.hidden).whole;
      CHECK(error < 3e-3);
      if (length == FftLength::exact) {
        // The same as products with matrices of cosines and sines.
        ReferenceOptions options;
        options.fft_token_points = options.fft_hidden_points = 1;
        const TensorMap as_products = reference_network(network, weights, input, options);
        CHECK(relative_error(as_products.at("layers.0.output").data, expected, size.hidden).whole < 3e-3);
        // In the real form columns are packed in pairs, unless the transform along the tokens is a product.
        if (size.tokens % 2 != 0 || size.hidden % 2 == 0) {
          options.fft_hidden_points = 0;
          options.real_fft = true;
          const TensorMap of_products = reference_network(network, weights, input, options);
          CHECK(relative_error(of_products.at("layers.0.output").data, expected, size.hidden).whole < 3e-3);
        }
      }
      if (size.hidden % 2 != 0) continue;
      ReferenceOptions options;
      options.real_fft = true;
      const TensorMap in_real_form = reference_network(network, weights, input, options);
      const double real_error = relative_error(in_real_form.at("layers.0.output").data, expected, size.hidden).whole;
      CHECK(real_error < 3e-3);
      CHECK(real_error < 1.1 * error);
    }
  }
}
