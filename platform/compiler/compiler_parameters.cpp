// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/compiler_parameters.h"

namespace bvp {

CompilerParameters::CompilerParameters(ParameterGroup* parent)
    : ParameterGroup(parent, "compiler", "how the network is mapped onto the array"),
      stage_points(this, "stage_points", 0, "points", {0, 65536},
                   "Points of a closed set, a power of two, two a PE at least; 0: as many as fit the operand memory, "
                   "at most 512.",
                   "MLX (ISCA 2026): 512 is the largest single-stage footprint", Confidence::mid),
      tile_rows(this, "tile_rows", 0, "rows", {0, 1 << 20},
                "Rows of a tile, rounded up to whole vectors, as far as they fit; 0: what the cost model finds best.",
                "choice of the user", Confidence::high),
      fusion(this, "fusion", true, "", {},
             "Operators that work token by token share tiles; otherwise each goes through DRAM.", "choice of the user",
             Confidence::high),
      layer_overlap(
          this, "layer_overlap", true, "", {},
          "The layers of a stage follow each other within the array; otherwise each goes back to the scratchpad.",
          "choice of the user", Confidence::high),
      streaming(this, "streaming", true, "", {},
                "Operands of several instances are on a PE at a time; otherwise those of one.", "choice of the user",
                Confidence::high),
      ping_pong(
          this, "ping_pong", true, "", {},
          "The next tile is loaded and the one before stored while a tile is computed; otherwise one after the other.",
          "choice of the user", Confidence::high),
      weight_residency(
          this, "weight_residency", true, "", {},
          "Weights stay in the operand memories between instances and launches; otherwise each loads them.",
          "choice of the user", Confidence::high),
      exchange_by_half(this, "exchange_by_half", true, "", {},
                       "PEs that exchange send each other the half of their points that the other one needs; otherwise "
                       "all, and drop what they do not need.",
                       "choice of the user", Confidence::high),
      method(this, "method", "improved", {"improved", "published"},
             "improved: techniques beyond the published ones are used where their switches say so and they cost less; "
             "published: none of them (residency, pruning, normalised butterflies, factors by ratios, the real FFT).",
             "choice of the user", Confidence::high),
      residency(
          this, "residency", true, "", {},
          "The planes between the two transforms of a two-dimensional FFT, and the tokens between a layer and the "
          "transform of the next one, stay in the scratchpad where they fit and that costs less; otherwise they "
          "go through DRAM.",
          "choice of the user", Confidence::high),
      pruning(
          this, "pruning", true, "", {},
          "Blocks of a butterfly without inputs or outputs are left out where that costs less, and what nobody reads "
          "of its residual gets no room in the scratchpad.",
          "choice of the user", Confidence::high),
      butterflies(this, "butterflies", "normalised", {"normalised", "pairs"},
                  "normalised: the larger weight of an output is taken out, so that the output costs one fused "
                  "multiply-add; the addition of the bias takes along what is owed (docs/numerics.md). Needs "
                  "soc.pe.swapping_fma. pairs: a multiplication and a fused multiply-add an output.",
                  "choice of the user", Confidence::high),
      twiddles(this, "twiddles", "ratios", {"ratios", "products"},
               "ratios: the larger part of an FFT's factor is taken out, so that a butterfly costs six fused "
               "multiply-adds (docs/numerics.md); without soc.pe.swapping_fma as products: eight instructions.",
               "choice of the user", Confidence::high),
      fft(this, "fft", "cheaper", {"cheaper", "real", "complex"},
          "Form of two-dimensional transforms. complex: a complex transform of every row, then of every column; real: "
          "where the sizes allow it, the form that uses that the input is real and that only the real part of the "
          "result is kept, with half of the work; cheaper: the one whose plan costs less.",
          "choice of the user", Confidence::high) {}

}  // namespace bvp
