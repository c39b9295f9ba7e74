// SPDX-License-Identifier: Apache-2.0
#include "platform/baselines/baseline_parameters.h"

#include <utility>

namespace bvp {

JetsonParameters::JetsonParameters(ParameterGroup* parent)
    : ParameterGroup(parent, "xavier_nx", "NVIDIA Jetson Xavier NX: a roofline for each kernel"),
      power_mode(this, "power_mode", "15W", jetson_mode_names(),
                 "Clock, bandwidth and power: " + jetson_mode_figures() + ".", "JetPack 5.0.2 nvpmodel configuration",
                 Confidence::high),
      tensor_flops(this, "tensor_flops", 6.81e12, "FLOP/s", {1e9, 1e15}, "fp16 peak of the tensor cores at 1109 MHz.",
                   "data sheet DA-09366-001: 48 tensor cores x 64 fused multiply-adds", Confidence::high),
      cuda_flops(this, "cuda_flops", 1.70e12, "FLOP/s", {1e9, 1e15}, "fp16 peak of the CUDA cores at 1109 MHz.",
                 "data sheet DA-09366-001: 384 cores x 2 fused multiply-adds", Confidence::high),
      tensor_efficiency(this, "tensor_efficiency", 0.40, "1", {0.01, 1},
                        "Share of the tensor peak that dense kernels reach.",
                        "MLPerf Inference v1.0 BERT-Large on this board: 0.38-0.42 (estimated tokens a query); MLX "
                        "(ISCA 2026): 0.33-0.51 on H100",
                        Confidence::mid),
      cuda_efficiency(this, "cuda_efficiency", 0.6, "1", {0.01, 1}, "Share of the CUDA peak that dense kernels reach.",
                      "assumption", Confidence::low),
      sparse_fraction(this, "sparse_fraction", 0.20, "1", {0.01, 1},
                      "Share of the CUDA roofline that butterflies and FFTs reach.",
                      "MLX (ISCA 2026): 0.12-0.29 on Orin, 0.08-0.31 on RTX 3090, digitised", Confidence::mid),
      bandwidth_efficiency(this, "bandwidth_efficiency", 0.75, "1", {0.01, 1},
                           "Share of the DRAM bandwidth that kernels reach.", "general knowledge: 0.7-0.8",
                           Confidence::mid),
      launch_s(this, "launch_s", 10e-6, "s", {0, 1e-3}, "Launch of a kernel.", "general knowledge: 5-15 us",
               Confidence::mid),
      layers_per_pass(this, "layers_per_pass", 10, "layers", {1, 32},
                      "Layers of a butterfly or an FFT that a pass through memory computes.",
                      "assumption: 1,024 points in the shared memory and registers of a thread block", Confidence::low),
      power_fraction(this, "power_fraction", 1.0, "1", {0.1, 1.5}, "Power drawn over the mode's budget.",
                     "1: the budget; MLPerf MaxQ measured 13.7 W at the wall in the 15 W class", Confidence::mid) {}

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

BaselineParameters::BaselineParameters(ParameterGroup* parent)
    : ParameterGroup(parent, "baselines", "what `butterfly-vp compare` holds a run against"),
      technology(this, "technology", "mlx", {"none", "mlx", "stillmaker"},
                 "How energies of accelerators in other technologies are brought to 12 nm: not at all, by the ratios "
                 "that MLX (ISCA 2026, Table IV) uses, or by the polynomials of Stillmaker and Baas (2017).",
                 "choice of the user", Confidence::high),
      xavier_nx(this),
      fabnet(this),
      spatten(this, "spatten", "SpAtten (HPCA 2021)", {1.06, 3.0, 40, 5, 1.0}),
      sanger(this, "sanger", "Sanger (MICRO 2021)", {0.80, 5.9, 55, 7, 1.1}),
      dota(this, "dota", "DOTA (ASPLOS 2022)", {0.86, 5.0, 22, 2, 1.4}),
      vitality(this, "vitality", "ViTALiTy (HPCA 2023)", {1.46, 5.9, 28, 3, 3.2}) {}

}  // namespace bvp
