// SPDX-License-Identifier: Apache-2.0
// A scenario: everything that a run needs to know, as declared parameters.
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/base/parameters.h"
#include "platform/baselines/baseline_parameters.h"
#include "platform/compiler/compiler_parameters.h"
#include "platform/config/given_keys.h"
#include "platform/network/network.h"
#include "platform/soc/soc_parameters.h"
#include "platform/support/input_error.h"

namespace bvp {

/// One entry of `network.layers`.
struct LayerParameters : ParameterGroup {
  LayerParameters() : ParameterGroup("layer", "one encoder layer, or several alike") {}

  Param<std::string> mixing{this,
                            "mixing",
                            "attention",
                            {"attention", "fft2d"},
                            "How tokens are mixed: softmax attention, or the real part of a two-dimensional FFT.",
                            "hybrid butterfly-sparsity network",
                            Confidence::high};
  Param<std::string> projections{this,
                                 "projections",
                                 "butterfly",
                                 {"dense", "butterfly"},
                                 "Kind of the query, key, value and output matrices; used by attention only.",
                                 "hybrid butterfly-sparsity network",
                                 Confidence::high};
  Param<std::string> ffn{this,
                         "ffn",
                         "butterfly",
                         {"dense", "butterfly"},
                         "Kind of the two matrices of the feed-forward network.",
                         "hybrid butterfly-sparsity network",
                         Confidence::high};
  Param<i64> repeat{this,       "repeat",        1,
                    "layers",   {1, 1024},       "How many layers like this one follow each other.",
                    "notation", Confidence::high};
};

/// The scalar keys of `network`; the list `layers` is kept beside them. `variant` and `depth` may stand for the list.
struct NetworkParameters : ParameterGroup {
  explicit NetworkParameters(ParameterGroup* parent)
      : ParameterGroup(parent, "network", "the hybrid butterfly-sparsity encoder") {}

  Param<i64> tokens{this,       "tokens",        required, "tokens", {1, 1 << 20}, "Tokens of one sequence.",
                    "workload", Confidence::high};
  Param<i64> hidden{this,       "hidden",        required, "elements", {2, 1 << 16}, "Width of a token's vector.",
                    "workload", Confidence::high};
  Param<i64> heads{this,       "heads",         1,
                   "heads",    {1, 1 << 12},    "Attention heads; must divide hidden where a layer uses attention.",
                   "workload", Confidence::high};
  Param<i64> ffn{this,       "ffn",           required,
                 "elements", {2, 1 << 18},    "Inner width of the feed-forward network.",
                 "workload", Confidence::high};
  Param<i64> batch{this,       "batch",         1, "sequences", {1, 4096}, "Sequences computed together.",
                   "workload", Confidence::high};
  Param<std::string> norm{this,
                          "norm",
                          "post",
                          {"post", "pre"},
                          "Layer normalisation after each residual sum (post), or before each sub-layer and once at "
                          "the end (pre).",
                          "workload",
                          Confidence::high};
  Param<std::string> fft_norm{this,
                              "fft_norm",
                              "ortho",
                              {"ortho", "none"},
                              "Scale of the two-dimensional FFT: 1/sqrt(points), or 1.",
                              "workload",
                              Confidence::high};
  Param<std::string> fft_length{
      this,
      "fft_length",
      "exact",
      {"exact", "power_of_two"},
      "Points of the two-dimensional FFT: as many as there are tokens and values of a token (exact), or the next "
      "powers "
      "of two, the input zero-padded and the result cut back (power_of_two), which is another function where the two "
      "differ. Until transforms of other lengths are built, exact needs powers of two.",
      "workload",
      Confidence::high};
  Param<std::string> activation{this,
                                "activation",
                                "gelu",
                                {"gelu", "relu"},
                                "Non-linearity of the feed-forward network; gelu is the exact one (erf).",
                                "workload",
                                Confidence::high};
  Param<double> epsilon{this,       "epsilon",       1e-5,
                        "1",        {1e-12, 1},      "Added to the variance in layer normalisation, in fp32.",
                        "workload", Confidence::high};
  Param<i64> vocabulary{this,
                        "vocabulary",
                        0,
                        "tokens",
                        {0, 1 << 20},
                        "Token ids that the embedding knows, and the input is ids; 0: no embedding, the input is "
                        "vectors.",
                        "workload",
                        Confidence::high};
  Param<i64> classes{this,       "classes",       0,
                     "classes",  {0, 1 << 16},    "Outputs of the classifier head behind the encoder; 0: no head.",
                     "workload", Confidence::high};
  Param<std::string> pooling{this,
                             "pooling",
                             "first",
                             {"first", "mean"},
                             "What the classifier head sees of a sequence: its first token, or the mean of all.",
                             "workload",
                             Confidence::high};
  Param<std::string> variant{
      this,
      "variant",
      "custom",
      {"custom", "dense", "butterfly", "butterfly_linear", "hybrid"},
      "What the `depth` layers are, instead of a list of layers: attention with dense matrices (dense), fft2d with "
      "butterfly matrices (butterfly), attention with butterfly matrices (butterfly_linear), or the second kind first "
      "and the third in the last attention_layers (hybrid).",
      "hybrid butterfly-sparsity network",
      Confidence::high};
  Param<i64> depth{this,       "depth",         0, "layers", {0, 1024}, "Layers where `variant` says what they are.",
                   "workload", Confidence::high};
  Param<i64> attention_layers{this,
                              "attention_layers",
                              -1,
                              "layers",
                              {-1, 1024},
                              "Layers with attention at the end of a hybrid network; -1: half of them.",
                              "hybrid butterfly-sparsity network",
                              Confidence::high};
};

struct RunParameters : ParameterGroup {
  explicit RunParameters(ParameterGroup* parent) : ParameterGroup(parent, "run", "how the simulation is run") {}

  Param<std::string> firmware{this,
                              "firmware",
                              "",
                              {},
                              "ELF file that the host CPU boots, relative to the scenario; empty: the one that comes "
                              "with the platform.",
                              "choice of the user",
                              Confidence::high};
  Param<std::string> fidelity{this,
                              "fidelity",
                              "cycle",
                              {"cycle", "fast"},
                              "Timing of the array: every instruction and every resource (cycle), or costs of whole "
                              "blocks (fast).",
                              "choice of the user",
                              Confidence::high};
  Param<bool> data{
      this, "data", true, {}, "Compute the numbers, not only the time.", "choice of the user", Confidence::high};
  Param<i64> seed{this,
                  "seed",
                  1,
                  "1",
                  {0, 9007199254740992.0},
                  "Seed of weights and input where no file gives them.",
                  "choice of the user",
                  Confidence::high};
  Param<double> time_limit_s{this,         "time_limit_s",
                             10,           "s",
                             {1e-9, 1e6},  "Simulated time after which a run that has not ended has failed.",
                             "assumption", Confidence::high};
  Param<std::string> weights{this,
                             "weights",
                             "",
                             {},
                             "safetensors file with the network's parameters, relative to the scenario; empty: drawn "
                             "from the seed.",
                             "choice of the user",
                             Confidence::high};
  Param<std::string> input{this,
                           "input",
                           "",
                           {},
                           "safetensors file with the tensor `input` [batch, tokens, hidden], or where the network "
                           "has a vocabulary, `tokens` [batch, tokens]; relative to the scenario; empty: drawn from "
                           "the seed.",
                           "choice of the user",
                           Confidence::high};
};

/// The profile that stands for the calibrated table of the machine's number of lanes.
inline constexpr const char* profile_by_machine = "by_machine";

/// The energy tables that come with the platform (models/power/tables), and the choice among them by the machine.
inline constexpr std::array<const char*, 4> energy_profiles{profile_by_machine, "silicon", "silicon_simd8", "textbook"};

/// energy.profile names a file rather than one of these.
[[nodiscard]] inline bool is_energy_file(const std::string& profile) {
  return std::filesystem::path(profile).extension() == ".yaml";
}

struct EnergyParameters : ParameterGroup {
  explicit EnergyParameters(ParameterGroup* parent) : ParameterGroup(parent, "energy", "how actions are priced") {}

  Param<std::string> profile{
      this,
      "profile",
      profile_by_machine,
      {},
      "Energy table: calibrated to a published PE of 32 lanes at 12 nm (silicon) or to its lean version of 8 lanes "
      "(silicon_simd8), the one of these that describes the machine (by_machine: silicon_simd8 for PEs of 8 lanes, "
      "silicon for all others), published energies per operation (textbook), or a table of your own, a .yaml file "
      "relative to the scenario.",
      "choice of the user",
      Confidence::high};
  Param<double> dram_pj_per_bit{this,
                                "dram_pj_per_bit",
                                0,
                                "pJ",
                                {0, 1e3},
                                "Energy of DRAM reads and writes per bit, instead of the memory standard's or the "
                                "profile's; 0: theirs (14.8 and 14.2 for DDR4 with I/O and PHY). LPDDR4 is 8.",
                                "choice of the user; LPDDR4: accelergy-cacti-plug-in",
                                Confidence::high};
  Param<double> technology_nm{this,
                              "technology_nm",
                              0,
                              "nm",
                              {0, 130},
                              "Technology to which the profile's prices are scaled, from 7 nm on; 0: the profile's.",
                              "choice of the user",
                              Confidence::high};
  Param<double> voltage{this,
                        "voltage",
                        0,
                        "V",
                        {0, 1.5},
                        "Supply to which the profile's prices are scaled, from 0.4 V on; 0: the profile's. Whether the "
                        "clock (soc.array.clock_hz) is met at that voltage is for the user to know.",
                        "choice of the user",
                        Confidence::high};
};

struct VerifyParameters : ParameterGroup {
  explicit VerifyParameters(ParameterGroup* parent)
      : ParameterGroup(parent, "verify", "what the outputs are held against") {}

  Param<bool> enabled{
      this, "enabled", true, {}, "Compare the outputs with the references.", "choice of the user", Confidence::high};
  Param<double> tolerance{this,
                          "tolerance",
                          2e-2,
                          "1",
                          {0, 1e3},
                          "Largest relative error of a layer, of the embedding or of the logits against the fp32 "
                          "reference that begins with the layer's own input; Euclidean norms over all rows.",
                          "assumption: fp16 arithmetic, measured 0.4e-3 to 2e-3 a layer",
                          Confidence::mid};
  Param<double> row_tolerance{this,
                              "row_tolerance",
                              0.1,
                              "1",
                              {0, 1e3},
                              "Likewise of a single row, a token's vector: largest Euclidean distance over the norm of "
                              "that row, or over the median row's where that is larger.",
                              "assumption: a row that is wrong as a whole has an error of about 1",
                              Confidence::mid};
  Param<double> end_to_end_tolerance{this,
                                     "end_to_end_tolerance",
                                     0.2,
                                     "1",
                                     {0, 1e3},
                                     "Largest relative error of a row of the last output, or of the logits of a "
                                     "sequence, against the fp32 reference from the network's input on.",
                                     "assumption: a row that is wrong as a whole has an error of about 1, and the "
                                     "errors of 24 layers add up",
                                     Confidence::mid};
};

struct RecordParameters : ParameterGroup {
  explicit RecordParameters(ParameterGroup* parent)
      : ParameterGroup(parent, "record", "what a run leaves besides summary.json and network.json") {}

  Param<bool> tensors{this,
                      "tensors",
                      false,
                      {},
                      "tensors.safetensors and weights.safetensors, as --dump.",
                      "choice of the user",
                      Confidence::high};
  Param<bool> statistics{this,
                         "statistics",
                         true,
                         {},
                         "statistics.json and statistics.csv: every counter of every model.",
                         "choice of the user",
                         Confidence::high};
  Param<bool> trace{this,
                    "trace",
                    false,
                    {},
                    "trace.json: tasks, kernels, transfers, units of the PEs, power, for the Perfetto UI; as --trace.",
                    "choice of the user",
                    Confidence::high};
  Param<i64> trace_bytes{
      this,
      "trace_bytes",
      i64{128} << 20,
      "bytes",
      {0, 1e12},
      "Largest size of the trace. What does not fit is left out evenly over the run: units and transfers "
      "first.",
      "choice of the user",
      Confidence::high};
  Param<bool> vcd{this,
                  "vcd",
                  false,
                  {},
                  "signals.vcd: the SoC's main signals, for GTKWave; as --vcd.",
                  "choice of the user",
                  Confidence::high};
  Param<double> power_window_s{this,
                               "power_window_s",
                               1e-5,
                               "s",
                               {0, 1e3},
                               "Window of the power over time (power.csv); 0: none.",
                               "choice of the user",
                               Confidence::high};
};

/// A file that a scenario was read from.
struct SourceFile {
  std::filesystem::path path;
  std::string sha256;
};

/// The root of the tree. Paths in `run` are made absolute or relative to the working directory by the reader.
struct Scenario : ParameterGroup {
  Scenario() : ParameterGroup("scenario", "everything that a run needs to know") {}

  Param<std::string> name{
      this, "name", "", {}, "Name of the run; empty: the file's name.", "choice of the user", Confidence::high};
  SocParameters soc{this};
  NetworkParameters network_parameters{this};
  std::vector<std::unique_ptr<LayerParameters>> layers;  ///< one for each layer: the reader resolves `repeat`
  CompilerParameters compiler{this};
  RunParameters run{this};
  EnergyParameters energy{this};
  VerifyParameters verify{this};
  RecordParameters record{this};
  BaselineParameters baselines{this};

  /// The network as values; set by the reader.
  Network network;
  /// The scenario's file and those of its presets.
  std::vector<SourceFile> sources;
  GivenKeys given;
  ParameterOrigins origins;  ///< of the values that the memory standard gives
};

/// One `--set KEY=VALUE`, or another option that stands for one.
struct Override {
  std::string key, value;
  std::string label = {};  ///< what to call it in messages; empty: "--set KEY=VALUE"
};

/// Where `preset: NAME` is looked for: DIRECTORY/soc/NAME.yaml and DIRECTORY/networks/NAME.yaml, first hit wins. The
/// scenario's own directory and its parent come before these.
struct ScenarioOptions {
  std::vector<Override> overrides;
  std::vector<std::filesystem::path> directories;
};

/// "WHERE: KEY: WHAT", as the reader says it of a key: where it was given, or else the scenario's file.
std::string about_key(const Scenario& scenario, const std::string& key, const std::string& what);

/// Splits "soc.array.lanes=8". @throws InputError
Override parse_override(const std::string& text);

/// The scenario's file, as its user named it.
std::string file_of(const Scenario& scenario);

/// @param file  a pipe or a device is read too, once
/// @throws InputError  naming every mistake in the file, its presets and the overrides, one a line
std::unique_ptr<Scenario> read_scenario(const std::filesystem::path& file, const ScenarioOptions& options = {});

/// The same from text; `origin` stands for the file's name in messages and for its directory.
std::unique_ptr<Scenario> read_scenario_text(const std::string& text, const std::filesystem::path& origin,
                                             const ScenarioOptions& options = {});

}  // namespace bvp
