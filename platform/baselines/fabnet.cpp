// SPDX-License-Identifier: Apache-2.0
#include "platform/baselines/fabnet.h"

#include <algorithm>

namespace bvp {

namespace {

/// Cycles of one pass of `engines` rows of n points.
struct PassCycles {
  double load = 0, compute = 0, store = 0;
};

class Model {
 public:
  Model(const FabnetParameters& parameters, u64 tokens, FabnetModel kind)
      : parameters_(parameters),
        engines_(static_cast<double>(parameters.engines)),
        rounds_((tokens + static_cast<u64>(parameters.engines) - 1) / static_cast<u64>(parameters.engines)),
        kind_(kind) {}

  /// A pass is computed when it is loaded; it is stored while the next one is worked on.
  [[nodiscard]] double fft(u64 points, bool complex_input) const {
    const PassCycles pass = cycles_of(points, complex_input ? 32 : 16, points * log2_of(points) * 32);
    const double of_pass = pass.load + pass.compute;
    if (kind_ == FabnetModel::corrected) return static_cast<double>(rounds_) * of_pass + pass.store;
    return static_cast<double>(rounds_ > 2 ? rounds_ - 1 : 1) * of_pass;
  }

  /// Loading, computing and storing overlap.
  [[nodiscard]] double butterfly(u64 points, u64 stacks) const {
    const u64 passes = rounds_ * stacks;
    const PassCycles pass = cycles_of(points, 16, points * log2_of(points) * 32);
    const double slowest = std::max({pass.load, pass.compute, pass.store});
    if (kind_ == FabnetModel::corrected) {
      return pass.load + pass.compute + pass.store + static_cast<double>(passes - 1) * slowest;
    }
    return pass.compute + std::max(pass.compute, pass.store) +
           static_cast<double>(passes > 2 ? passes - 2 : 0) * slowest;
  }

 private:
  [[nodiscard]] PassCycles cycles_of(u64 points, double input_bits, u64 coefficient_bits) const {
    constexpr double units = 4, points_per_unit = 2;
    const auto n = static_cast<double>(points);
    const double input = n * engines_ * input_bits / static_cast<double>(parameters_.input_bits.get());
    const double output = n * engines_ * 16 / static_cast<double>(parameters_.output_bits.get());
    const double coefficients =
        static_cast<double>(coefficient_bits) / static_cast<double>(parameters_.coefficient_bits.get());
    return {std::max({input, n, coefficients}), n / (units * points_per_unit) * log2_of(points), std::max(output, n)};
  }

  const FabnetParameters& parameters_;
  const double engines_;
  const u64 rounds_;  // passes over all rows
  const FabnetModel kind_;
};

}  // namespace

double fabnet_layer_cycles(const FabnetParameters& parameters, u64 tokens, u64 hidden, u64 ffn, FabnetModel kind) {
  const u64 narrow = next_power_of_two(hidden), wide = next_power_of_two(ffn);
  const Model model(parameters, tokens, kind);
  return model.fft(narrow, false) + model.fft(narrow, true) + model.butterfly(narrow, std::max<u64>(1, wide / narrow)) +
         model.butterfly(wide, 1);
}

std::optional<double> fabnet_seconds(const FabnetParameters& parameters, const Network& network, FabnetModel model) {
  for (const EncoderLayer& layer : network.layers) {
    if (layer.mixing != Mixing::fft2d || layer.ffn != LinearKind::butterfly) return std::nullopt;
  }
  const double cycles =
      fabnet_layer_cycles(parameters, network.batch * network.tokens, network.hidden, network.ffn, model);
  return static_cast<double>(network.layers.size()) * cycles / parameters.clock_hz / parameters.efficiency;
}

}  // namespace bvp
