// SPDX-License-Identifier: Apache-2.0
#include "platform/scenario/scenario_parameters.h"

#include <fmt/format.h>

#include <type_traits>
#include <variant>

#include "platform/network/mixing.h"

namespace bvp {

namespace {

std::vector<std::string> words_of_mixings() {
  std::vector<std::string> words;
  for (const Mixing mixing : all_mixings()) words.emplace_back(name_of(mixing));
  return words;
}

std::string meaning_of_mixings() {
  std::string text;
  for (const Mixing mixing : all_mixings()) {
    text += fmt::format("{}{}: {}", text.empty() ? "How tokens are mixed. " : "; ", name_of(mixing),
                        declaration_of(mixing).computes);
  }
  return text + ".";
}

template <class T>
std::unique_ptr<ParamBase> make_parameter(ParameterGroup* group, const MixingParameter& of, const T& initial) {
  if constexpr (std::is_same_v<T, i64> || std::is_same_v<T, double>) {
    return std::make_unique<Param<T>>(group, of.name, initial, of.unit, of.range, of.description, of.source,
                                      of.confidence);
  } else {
    return std::make_unique<Param<T>>(group, of.name, initial, of.choices, of.description, of.source, of.confidence);
  }
}

/// The parameters of all mixings, by their places; one that several have is there once.
std::vector<std::unique_ptr<ParamBase>> parameters_of_mixings(ParameterGroup* group) {
  std::vector<std::unique_ptr<ParamBase>> parameters;
  for (const Mixing mixing : all_mixings()) {
    for (const MixingParameter& of : declaration_of(mixing).parameters) {
      if (group->find_parameter(of.name) != nullptr) continue;
      parameters.push_back(
          std::visit([&](const auto& initial) { return make_parameter(group, of, initial); }, of.initial));
    }
  }
  return parameters;
}

}  // namespace

LayerParameters::LayerParameters()
    : ParameterGroup("layer", "one encoder layer, or several alike"),
      mixing(this, "mixing", name_of(Mixing::attention), words_of_mixings(), meaning_of_mixings(),
             "hybrid butterfly-sparsity network; sparse attention as published", Confidence::high),
      projections(this, "projections", "butterfly", {"dense", "butterfly"},
                  "Kind of the query, key, value and output matrices; used by attention of any kind.",
                  "hybrid butterfly-sparsity network", Confidence::high),
      ffn(this, "ffn", "butterfly", {"dense", "butterfly"}, "Kind of the two matrices of the feed-forward network.",
          "hybrid butterfly-sparsity network", Confidence::high),
      of_mixings(parameters_of_mixings(this)),
      repeat(this, "repeat", 1, "layers", {1, 1024}, "How many layers like this one follow each other.", "notation",
             Confidence::high) {}

/// The function is long because it is a table of all keys.
NetworkParameters::NetworkParameters(ParameterGroup* parent)
    : ParameterGroup(parent, "network", "the hybrid butterfly-sparsity encoder"),
      tokens(this, "tokens", required, "tokens", {1, 1 << 20}, "Tokens of one sequence.", "workload", Confidence::high),
      hidden(this, "hidden", required, "elements", {2, 1 << 16}, "Width of a token's vector.", "workload",
             Confidence::high),
      heads(this, "heads", 1, "heads", {1, 1 << 12},
            "Attention heads; must divide hidden where a layer uses attention.", "workload", Confidence::high),
      ffn(this, "ffn", required, "elements", {2, 1 << 18}, "Inner width of the feed-forward network.", "workload",
          Confidence::high),
      batch(this, "batch", 1, "sequences", {1, 4096}, "Sequences computed together.", "workload", Confidence::high),
      norm(this, "norm", "post", {"post", "pre"},
           "Layer normalisation after each residual sum (post), or before each sub-layer and, unless final_norm says "
           "otherwise, once at the end (pre).",
           "workload", Confidence::high),
      final_norm(this, "final_norm", "by_placement", {"by_placement", "present", "absent"},
                 "Layer normalisation behind the last layer; by_placement: where norm is pre.", "workload",
                 Confidence::high),
      fft_norm(this, "fft_norm", "ortho", {"ortho", "none"}, "Scale of the two-dimensional FFT: 1/sqrt(points), or 1.",
               "workload", Confidence::high),
      fft_length(
          this, "fft_length", "exact", {"exact", "power_of_two"},
          "Points of the two-dimensional FFT: as many as there are tokens and values of a token (exact), or the next "
          "powers of two, the input zero-padded and the result cut back (power_of_two), which is another function "
          "where the two differ.",
          "workload", Confidence::high),
      activation(this, "activation", "gelu", {"gelu", "relu", "gelu_tanh", "tanh"},
                 "Non-linearity of the feed-forward network; gelu is the exact one (erf), gelu_tanh its approximation "
                 "with tanh (gelu_new).",
                 "workload", Confidence::high),
      epsilon(this, "epsilon", 1e-5, "1", {1e-12, 1}, "Added to the variance in layer normalisation, in fp32.",
              "workload", Confidence::high),
      vocabulary(this, "vocabulary", 0, "tokens", {0, 1 << 20},
                 "Token ids that the embedding knows, and the input is ids; 0: no embedding, the input is vectors.",
                 "workload", Confidence::high),
      patch_values(this, "patch_values", 0, "elements", {0, 1 << 18},
                   "Values of a patch of an image, of which a dense layer makes a token; 0: the input is no patches.",
                   "workload", Confidence::high),
      embedding_norm(this, "embedding_norm", false, {},
                     "Layer normalisation behind the sum of the embedding, before the first layer.", "workload",
                     Confidence::high),
      embedding_projection(this, "embedding_projection", false, {},
                           "A dense layer from hidden to hidden behind the embedding and its norm.", "workload",
                           Confidence::high),
      padding_mask(this, "padding_mask", false, {},
                   "Attention leaves out the tokens of each sequence that the input's mask says.", "workload",
                   Confidence::high),
      classes(this, "classes", 0, "classes", {0, 1 << 16},
              "Outputs of the classifier head behind the encoder; 0: no head.", "workload", Confidence::high),
      pooling(this, "pooling", "first", {"first", "mean"},
              "What the classifier head sees of a sequence: its first token, or the mean of all.", "workload",
              Confidence::high),
      pooler(this, "pooler", false, {},
             "A dense layer from hidden to hidden, and tanh, between pooling and the classifier head.", "workload",
             Confidence::high),
      variant(this, "variant", "custom", {"custom", "dense", "butterfly", "butterfly_linear", "hybrid"},
              "What the `depth` layers are, instead of a list of layers: attention with dense matrices (dense), fft2d "
              "with butterfly matrices (butterfly), attention with butterfly matrices (butterfly_linear), or the "
              "second kind first and the third in the last attention_layers (hybrid).",
              "hybrid butterfly-sparsity network", Confidence::high),
      depth(this, "depth", 0, "layers", {0, 1024}, "Layers where `variant` says what they are.", "workload",
            Confidence::high),
      attention_layers(this, "attention_layers", -1, "layers", {-1, 1024},
                       "Layers with attention at the end of a hybrid network; -1: half of them.",
                       "hybrid butterfly-sparsity network", Confidence::high) {}

RunParameters::RunParameters(ParameterGroup* parent)
    : ParameterGroup(parent, "run", "how the simulation is run"),
      firmware(
          this, "firmware", "", {},
          "ELF file that the host CPU boots, relative to the scenario; empty: the one that comes with the platform.",
          "choice of the user", Confidence::high),
      fidelity(this, "fidelity", "cycle", {"cycle", "fast"},
               "Timing of the array: every instruction and every resource (cycle), or costs of whole blocks (fast).",
               "choice of the user", Confidence::high),
      data(this, "data", true, {}, "Compute the numbers, not only the time.", "choice of the user", Confidence::high),
      seed(this, "seed", 1, "1", {0, 9007199254740992.0}, "Seed of weights and input where no file gives them.",
           "choice of the user", Confidence::high),
      time_limit_s(this, "time_limit_s", 10, "s", {1e-9, 1e6},
                   "Simulated time after which a run that has not ended has failed.", "assumption", Confidence::high),
      protection(
          this, "protection", false, {},
          "The runtime opens windows of the protection unit for what the network reads and writes, and for nothing "
          "else, and puts check words into its commands.",
          "choice of the user", Confidence::high),
      launch_limit(this, "launch_limit", 0, "cycles", {0, 4294967295.0},
                   "Cycles after which the sequencer stops a launch that has not ended; 0: never.",
                   "choice of the user", Confidence::high),
      dma_limit(this, "dma_limit", 0, "cycles", {0, 4294967295.0},
                "Cycles after which the sequencer aborts a DMA transfer that has not ended; 0: never.",
                "choice of the user", Confidence::high),
      wait_limit_us(
          this, "wait_limit_us", 0, "us", {0, 1e9},
          "Microseconds after which the runtime gives up waiting for a command; 0: never. They are counted in "
          "ticks of the default soc.clint.frequency_hz.",
          "choice of the user", Confidence::high),
      retries(this, "retries", 0, "1", {0, 1000},
              "How often the runtime brings the accelerator back and runs the network again after an error or a "
              "time-out.",
              "choice of the user", Confidence::high),
      spare_images(
          this, "spare_images", false, {},
          "When no retry is left and a row of PEs is at fault, the runtime leaves the row out and runs the "
          "network again, with images for half of the rows where too few are left for the others. Those images, "
          "with weights and tables of their own, take DRAM.",
          "choice of the user", Confidence::high),
      weights(this, "weights", "", {},
              "safetensors file with the network's parameters, relative to the scenario; empty: drawn from the seed.",
              "choice of the user", Confidence::high),
      input(this, "input", "", {},
            "safetensors file with the tensor `input` [batch, tokens, hidden], or where the network has a vocabulary, "
            "`tokens` [batch, tokens], or where it takes patches, `patches` [batch, tokens, patch_values]; and with "
            "network.padding_mask `mask` [batch, tokens]; relative to the scenario; empty: drawn from the seed.",
            "choice of the user", Confidence::high),
      dataset(this, "dataset", "", {},
              "safetensors file with a set of samples that the run goes through, network.batch at a time: the tensors "
              "of `input`, with [samples] in the place of [batch], and `labels` [samples], the class of each; relative "
              "to the scenario; empty: the run takes one batch.",
              "choice of the user", Confidence::high),
      samples(this, "samples", 0, "1", {0, 1e9}, "How many samples of `dataset` the run takes, the first ones; 0: all.",
              "choice of the user", Confidence::high) {}

EnergyParameters::EnergyParameters(ParameterGroup* parent)
    : ParameterGroup(parent, "energy", "how actions are priced"),
      profile(this, "profile", profile_by_machine, {},
              "Energy table: calibrated to a published PE of 32 lanes at 12 nm (silicon) or to its lean version of 8 "
              "lanes (silicon_simd8), the one of these that describes the machine (by_machine: silicon_simd8 for PEs "
              "of 8 lanes, silicon for all others), published energies per operation (textbook), or a table of your "
              "own, a .yaml file relative to the scenario.",
              "choice of the user", Confidence::high),
      dram_pj_per_bit(
          this, "dram_pj_per_bit", 0, "pJ", {0, 1e3},
          "Energy of DRAM reads and writes per bit, instead of the memory standard's or the profile's; 0: theirs "
          "(14.8 and 14.2 for DDR4 with I/O and PHY). LPDDR4 is 8.",
          "choice of the user; LPDDR4: accelergy-cacti-plug-in", Confidence::high),
      technology_nm(this, "technology_nm", 0, "nm", {0, 130},
                    "Technology to which the profile's prices are scaled, from 7 nm on; 0: the profile's.",
                    "choice of the user", Confidence::high),
      voltage(this, "voltage", 0, "V", {0, 1.5},
              "Supply to which the profile's prices are scaled, from 0.4 V on; 0: the profile's. Whether the clock "
              "(soc.array.clock_hz) is met at that voltage is for the user to know.",
              "choice of the user", Confidence::high) {}

VerifyParameters::VerifyParameters(ParameterGroup* parent)
    : ParameterGroup(parent, "verify", "what the outputs are held against"),
      enabled(this, "enabled", true, {}, "Compare the outputs with the references.", "choice of the user",
              Confidence::high),
      tolerance(this, "tolerance", 2e-2, "1", {0, 1e3},
                "Largest relative error of a layer, of the embedding or of the logits against the fp32 reference that "
                "begins with the layer's own input; Euclidean norms over all rows.",
                "assumption: fp16 arithmetic, measured 0.4e-3 to 2e-3 a layer", Confidence::mid),
      row_tolerance(this, "row_tolerance", 0.1, "1", {0, 1e3},
                    "Likewise of a single row, a token's vector: largest Euclidean distance over the norm of that row, "
                    "or over the median row's where that is larger.",
                    "assumption: a row that is wrong as a whole has an error of about 1", Confidence::mid),
      end_to_end_tolerance(
          this, "end_to_end_tolerance", 0.2, "1", {0, 1e3},
          "Largest relative error of a row of the last output, or of the logits of a sequence, against the fp32 "
          "reference from the network's input on.",
          "assumption: a row that is wrong as a whole has an error of about 1, and the errors of 24 layers add up",
          Confidence::mid) {}

RecordParameters::RecordParameters(ParameterGroup* parent)
    : ParameterGroup(parent, "record", "what a run leaves besides summary.json and network.json"),
      tensors(this, "tensors", false, {}, "tensors.safetensors and weights.safetensors, as --dump.",
              "choice of the user", Confidence::high),
      statistics(this, "statistics", true, {}, "statistics.json and statistics.csv: every counter of every model.",
                 "choice of the user", Confidence::high),
      trace(this, "trace", false, {},
            "trace.json: tasks, kernels, transfers, units of the PEs, power, for the Perfetto UI; as --trace.",
            "choice of the user", Confidence::high),
      trace_bytes(
          this, "trace_bytes", i64{128} << 20, "bytes", {0, 1e12},
          "Largest size of the trace. What does not fit is left out evenly over the run: units and transfers first.",
          "choice of the user", Confidence::high),
      vcd(this, "vcd", false, {}, "signals.vcd: the SoC's main signals, for GTKWave; as --vcd.", "choice of the user",
          Confidence::high),
      power_window_s(this, "power_window_s", 1e-5, "s", {0, 1e3}, "Window of the power over time (power.csv); 0: none.",
                     "choice of the user", Confidence::high) {}

}  // namespace bvp
