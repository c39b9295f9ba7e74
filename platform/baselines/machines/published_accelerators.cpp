// SPDX-License-Identifier: Apache-2.0
#include "platform/baselines/machines/published_accelerators.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "platform/baselines/baseline.h"

namespace bvp {

AcceleratorParameters::AcceleratorParameters(ParameterGroup* parent, std::string name, std::string description,
                                             const Published& published)
    : ParameterGroup(parent, std::move(name), std::move(description)),
      power_w(this, "power_w", published.power_w, "W", {1e-3, 1e3}, "Power at 256 GOp/s, without DRAM.",
              "MLX (ISCA 2026), Table IV", Confidence::high),
      flop_saving(this, "flop_saving", published.flop_saving, "1", {1, 1e3},
                  "Operations of the dense network over those left, on a block of 1,024 tokens and hidden size 512; "
                  "taken for every network.",
                  "MLX (ISCA 2026), Table IV", Confidence::mid),
      node_nm(this, "node_nm", published.node_nm, "nm", {7, 130}, "Technology.", "MLX (ISCA 2026), Table IV",
              Confidence::high),
      volt(this, "volt", 0.9, "V", {0.4, 1.5}, "Supply, for the polynomials of Stillmaker and Baas.",
           "assumption: the same for all; not in the publications at hand", Confidence::low),
      energy_to_12nm(this, "energy_to_12nm", published.energy_to_12nm, "1", {0.1, 100},
                     "Energy in its technology over that in 12 nm.", "MLX (ISCA 2026), Table IV", Confidence::mid),
      block_speed(this, "block_speed", published.block_speed, "1", {0.01, 100},
                  "Published speed over SpAtten's on a block of 1,024 tokens and hidden size 512.",
                  "MLX (ISCA 2026), Fig. 18, annotations", Confidence::mid) {}

double energy_normalisation(const Param<std::string>& technology, const AcceleratorParameters& accelerator) {
  if (technology.get() == "mlx") return 1 / accelerator.energy_to_12nm;
  if (technology.get() == "stillmaker") {
    return energy_scale({accelerator.node_nm, accelerator.volt}, accelerator_point);
  }
  return 1;
}

std::vector<const ParamBase*> normalisation_parameters(const Param<std::string>& technology,
                                                       const AcceleratorParameters& accelerator) {
  if (technology.get() == "mlx") return {&technology, &accelerator.energy_to_12nm};
  if (technology.get() == "stillmaker") {
    return {&technology, &accelerator.node_nm, &accelerator.volt};
  }
  return {&technology};
}

namespace {

/// The block that MLX (ISCA 2026) compares accelerators on.
bool is_published_block(const Network& network) {
  return network.layers.size() == 1 && network.batch == 1 && network.tokens == 1024 && network.hidden == 512 &&
         network.ffn == 2048 && network.vocabulary == 0 && network.classes == 0;
}

struct Accelerator {
  const char* name;  // in rows
  AcceleratorParameters parameters;
};

class PublishedAccelerators final : public Baseline {
 public:
  explicit PublishedAccelerators(ParameterGroup* parent)
      : all_{{{"SpAtten", {parent, "spatten", "SpAtten (HPCA 2021)", {1.06, 3.0, 40, 5, 1.0}}},
              {"Sanger", {parent, "sanger", "Sanger (MICRO 2021)", {0.80, 5.9, 55, 7, 1.1}}},
              {"DOTA", {parent, "dota", "DOTA (ASPLOS 2022)", {0.86, 5.0, 22, 2, 1.4}}},
              {"ViTALiTy", {parent, "vitality", "ViTALiTy (HPCA 2023)", {1.46, 5.9, 28, 3, 3.2}}}}} {}

  [[nodiscard]] std::vector<BaselineEstimate> estimates(const Comparand& with) const override {
    if (!has_accelerator_peak(with.run)) return {};
    const auto seconds_at_peak = [&](const AcceleratorParameters& accelerator) {
      return total_flops(with.dense) / accelerator.flop_saving / accelerator_peak_flops;
    };
    std::vector<BaselineEstimate> estimates;
    for (const auto& [name, accelerator] : all_) {
      estimates.push_back(estimate(
          with, accelerator, name,
          fmt::format("dense FLOP / {} (its saving) at the peak of 256 GOp/s, always", accelerator.flop_saving.get()),
          seconds_at_peak(accelerator), accelerator.flop_saving.source(), "F, I", {&accelerator.flop_saving}));
    }
    if (!is_published_block(with.run.network)) return estimates;
    const AcceleratorParameters& spatten = all_.front().parameters;
    for (const auto& [name, accelerator] : all_) {
      const double speed = accelerator.block_speed / spatten.block_speed;
      estimates.push_back(
          estimate(with, accelerator, fmt::format("published_speed_{}", name),
                   fmt::format("{:.3g} times SpAtten's speed, as published for this block; SpAtten as above", speed),
                   seconds_at_peak(spatten) / speed, accelerator.block_speed.source(), "D, I",
                   {&accelerator.block_speed, &spatten.block_speed, &spatten.flop_saving}));
    }
    return estimates;
  }

 private:
  [[nodiscard]] static BaselineEstimate estimate(const Comparand& with, const AcceleratorParameters& accelerator,
                                                 std::string name, const std::string& how, double seconds,
                                                 std::string source, const char* tag,
                                                 std::vector<const ParamBase*> of_time) {
    const bool as_published = with.technology.get() == "none";
    const bool same_point = as_published || (with.run.energy_technology_nm == accelerator_point.nm &&
                                             with.run.energy_voltage == accelerator_point.volt);
    const double normalised = energy_normalisation(with.technology, accelerator);
    const std::string brought =
        as_published ? "as published"
                     : fmt::format("x {:.3g} for {:g} nm, {:g} V ({}{})", normalised, accelerator_point.nm,
                                   accelerator_point.volt, with.technology.get(),
                                   same_point ? "" : "; not held against the run's energy at another point");
    return {std::move(name),
            fmt::format("{}; {} W in {} nm, {}, without DRAM; {}", how, accelerator.power_w.get(),
                        accelerator.node_nm.get(), brought, accelerator.description()),
            seconds,
            seconds * accelerator.power_w * normalised,
            false,
            same_point,
            // That the accelerator keeps its peak and its saving on every network is an assumption.
            {std::move(source), tag, Confidence::low, std::move(of_time)},
            {accelerator.power_w.source(), "F, I", Confidence::high,
             together({&accelerator.power_w}, normalisation_parameters(with.technology, accelerator))}};
  }

  const std::array<Accelerator, 4> all_;  // SpAtten, whose speed the others are published against, first
};

}  // namespace

namespace machines {

BaselineEntry published_accelerators() {
  return {2, [](ParameterGroup* parent) -> std::unique_ptr<Baseline> {
            return std::make_unique<PublishedAccelerators>(parent);
          }};
}

}  // namespace machines

}  // namespace bvp
