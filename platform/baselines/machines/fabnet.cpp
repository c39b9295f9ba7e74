// SPDX-License-Identifier: Apache-2.0
#include "platform/baselines/machines/fabnet.h"

#include <fmt/format.h>

#include <algorithm>

#include "platform/baselines/baseline.h"

namespace bvp {

FabnetParameters::FabnetParameters(ParameterGroup* parent)
    : ParameterGroup(parent, "fabnet", "FABNet's butterfly accelerator (MICRO 2022): its published latency model"),
      engines(this, "engines", 40, "engines", {1, 4096},
              "Butterfly engines of 4 units of 4 multipliers; 40 are 256 GOp/s at 200 MHz.",
              "FABNet (MICRO 2022): the build of its comparison with other accelerators", Confidence::high),
      clock_hz(this, "clock_hz", 200e6, "Hz", {1e6, 1e10}, "Clock.", "FABNet (MICRO 2022)", Confidence::high),
      efficiency(this, "efficiency", 0.85, "1", {0.01, 1}, "By which the published model divides.",
                 "FABNet's simulator", Confidence::high),
      input_bits(this, "input_bits", 2048, "bits per cycle", {1, 1 << 20}, "Off-chip bandwidth of inputs.",
                 "FABNet's simulator: HBM", Confidence::high),
      coefficient_bits(this, "coefficient_bits", 256, "bits per cycle", {1, 1 << 20},
                       "Off-chip bandwidth of weights and twiddle factors.", "FABNet's simulator: HBM",
                       Confidence::high),
      output_bits(this, "output_bits", 2048, "bits per cycle", {1, 1 << 20}, "Off-chip bandwidth of outputs.",
                  "FABNet's simulator: HBM", Confidence::high),
      power_w(this, "power_w", 11.35, "W", {1e-3, 1e3},
              "Power of the build of power_engines at power_clock_hz in a 16 nm FPGA, without HBM.",
              "FABNet (MICRO 2022) as in MLX (ISCA 2026), Table IV", Confidence::high),
      power_engines(this, "power_engines", 40, "engines", {1, 4096},
                    "Engines of the build whose power is power_w; other builds get no energy.",
                    "MLX (ISCA 2026), Table IV: 640 multipliers at 256 GOp/s", Confidence::mid),
      power_clock_hz(this, "power_clock_hz", 200e6, "Hz", {1e6, 1e10},
                     "Clock of the build whose power is power_w; other clocks get no energy.",
                     "MLX (ISCA 2026), Table IV: 640 multipliers at 256 GOp/s", Confidence::mid) {}

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
  // The published model is of networks whose layers are transforms and butterflies, and of nothing else.
  for (const EncoderLayer& layer : network.layers) {
    if (layer.mixing != Mixing::fft2d || layer.ffn != LinearKind::butterfly) return std::nullopt;
  }
  const double cycles =
      fabnet_layer_cycles(parameters, network.batch * network.tokens, network.hidden, network.ffn, model);
  return static_cast<double>(network.layers.size()) * cycles / parameters.clock_hz / parameters.efficiency;
}

namespace {

class Fabnet final : public Baseline {
 public:
  explicit Fabnet(ParameterGroup* parent) : parameters_(parent) {}

  [[nodiscard]] std::vector<BaselineEstimate> estimates(const Comparand& with) const override {
    if (!has_accelerator_peak(with.run)) return {};
    std::vector<BaselineEstimate> all;
    add(all, with.run.network, FabnetModel::published, "fabnet_published", "latency model as published",
        {"SamsungLabs/Butterfly_Acc at 1bb951f, in closed form", "F, R", Confidence::high});
    add(all, with.run.network, FabnetModel::corrected, "fabnet_corrected", "latency model with its missing pass",
        {"SamsungLabs/Butterfly_Acc at 1bb951f, with a pass added", "I", Confidence::mid});
    return all;
  }

 private:
  void add(std::vector<BaselineEstimate>& all, const Network& network, FabnetModel model, const char* name,
           const char* what, Basis time) const {
    const auto seconds = fabnet_seconds(parameters_, network, model);
    if (!seconds) return;
    const FabnetParameters& p = parameters_;
    // The power of other builds is not published.
    const bool known_power = p.engines.get() == p.power_engines.get() && p.clock_hz.get() == p.power_clock_hz.get();
    const std::string power = known_power ? fmt::format("{} W (16 nm FPGA, without HBM)", p.power_w.get())
                                          : fmt::format("power published for {} engines at {:g} MHz only",
                                                        p.power_engines.get(), p.power_clock_hz / 1e6);
    time.parameters = {&p.engines, &p.clock_hz, &p.efficiency, &p.input_bits, &p.coefficient_bits, &p.output_bits};
    all.push_back({name,
                   fmt::format("FABNet's accelerator, {}, {} engines at {:g} MHz; {}", what, p.engines.get(),
                               p.clock_hz / 1e6, power),
                   *seconds,
                   known_power ? std::optional(*seconds * p.power_w) : std::nullopt,
                   false,
                   true,
                   std::move(time),
                   {p.power_w.source(), "F", Confidence::high, {&p.power_w, &p.power_engines, &p.power_clock_hz}}});
  }

  FabnetParameters parameters_;
};

}  // namespace

namespace machines {

BaselineEntry fabnet() {
  return {1, [](ParameterGroup* parent) -> std::unique_ptr<Baseline> { return std::make_unique<Fabnet>(parent); }};
}

}  // namespace machines

}  // namespace bvp
