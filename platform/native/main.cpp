// SPDX-License-Identifier: Apache-2.0
// The executable bvp-native measures whether the native reference is a fair yardstick. It prints as JSON the GFLOP/s of
// its FFT beside FFTW's and of its dense product beside OpenBLAS's, in single precision on one thread. `butterfly-vp
// bench` runs it. It is a program of its own, because loading these libraries takes a third of the start time of
// butterfly-vp.
#include <cblas.h>
#include <fftw3.h>

#include <algorithm>
#include <chrono>
#include <complex>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <systemc>
#include <vector>

#include "platform/network/half.h"
#include "platform/network/network.h"
#include "platform/reference/kernels.h"
#include "platform/reference/panels.h"

namespace bvp {
namespace {

/// Seconds of one call: the best of several rounds of at least 20 ms.
double best_seconds(const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const auto begin = Clock::now();
    u64 calls = 0;
    double passed = 0;
    do {
      work();
      ++calls;
      passed = std::chrono::duration<double>(Clock::now() - begin).count();
    } while (passed < 0.02);
    best = std::min(best, passed / static_cast<double>(calls));
  }
  return best;
}

nlohmann::json compare_fft(u64 points) {
  const ReferenceKernels& kernels = reference_kernels();
  const unsigned bits = log2_of(points);
  std::vector<u16> factors(2 * points, to_half(0.5)), re(points * panel_width, to_half(0.25)), im(re);
  const double reference = best_seconds([&] { kernels.fft(bits, factors.data(), re.data(), im.data()); });
  std::vector<std::complex<float>> data(points * panel_width);
  const int n = static_cast<int>(points);
  auto* const raw = reinterpret_cast<fftwf_complex*>(data.data());
  // The layout is that of the reference: the points of 16 transforms are interleaved.
  fftwf_plan plan =
      fftwf_plan_many_dft(1, &n, static_cast<int>(panel_width), raw, nullptr, static_cast<int>(panel_width), 1, raw,
                          nullptr, static_cast<int>(panel_width), 1, FFTW_FORWARD, FFTW_MEASURE);
  const double fftw = best_seconds([&] { fftwf_execute(plan); });
  fftwf_destroy_plan(plan);
  const double flop = 5.0 * static_cast<double>(points * bits * panel_width);
  return {
      {"points", points}, {"reference_gflop_per_s", flop / reference * 1e-9}, {"fftw_gflop_per_s", flop / fftw * 1e-9}};
}

nlohmann::json compare_dense(u64 tokens, u64 inputs, u64 outputs) {
  const ReferenceKernels& kernels = reference_kernels();
  const std::size_t panels = panels_for(tokens);
  constexpr u64 block = 64;
  std::vector<float> a(block * inputs, 0.5F), b(panels * inputs * panel_width, 0.25F), c(block * panel_width);
  const double reference = best_seconds([&] {
    for (u64 first = 0; first < outputs; first += block) {
      for (std::size_t panel = 0; panel < panels; ++panel) {
        kernels.multiply(block, inputs, a.data(), inputs, b.data() + panel * inputs * panel_width, c.data());
      }
    }
  });
  std::vector<float> x(tokens * inputs, 0.5F), w(outputs * inputs, 0.25F), y(tokens * outputs);
  const double blas = best_seconds([&] {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(tokens), static_cast<int>(outputs),
                static_cast<int>(inputs), 1.0F, x.data(), static_cast<int>(inputs), w.data(), static_cast<int>(inputs),
                0.0F, y.data(), static_cast<int>(outputs));
  });
  const double flop = 2.0 * static_cast<double>(tokens * inputs * outputs);
  return {{"tokens", tokens},
          {"inputs", inputs},
          {"outputs", outputs},
          {"reference_gflop_per_s", flop / reference * 1e-9},
          {"openblas_gflop_per_s", flop / blas * 1e-9}};
}

nlohmann::json native_quality() {
  nlohmann::json result;
  for (const u64 points : {256u, 1024u, 4096u}) result["fft"].push_back(compare_fft(points));
  result["dense"].push_back(compare_dense(512, 768, 768));
  result["dense"].push_back(compare_dense(512, 768, 3072));
  return result;
}

}  // namespace
}  // namespace bvp

int main() { std::puts(bvp::native_quality().dump(2).c_str()); }

// libsystemc, which the reference's library links, requires this function.
int sc_main(int, char**) { return 1; }
