// SPDX-License-Identifier: Apache-2.0
#include "platform/scenario/scenario_checks.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>
#include <vector>

#include "platform/config/describe_parameter.h"
#include "platform/network/mixing.h"
#include "platform/network/network_json.h"
#include "platform/network/weights.h"
#include "platform/soc/memory_map.h"
#include "platform/support/input_file.h"
#include "platform/support/nearest.h"
#include "platform/support/printable.h"

namespace bvp {

namespace {

Activation activation_of(const std::string& word) {
  for (const Activation activation : {Activation::relu, Activation::gelu_tanh, Activation::tanh}) {
    if (word == name_of(activation)) return activation;
  }
  return Activation::gelu;
}

/// What the layer's mixing declares, with the values that the layer has.
MixingValues mixing_values_of(const LayerParameters& layer) {
  MixingValues values;
  for (const MixingParameter& parameter : declaration_of(mixing_of(layer.mixing)).parameters) {
    values.emplace(parameter.name, layer.find_parameter(parameter.name)->value());
  }
  return values;
}

Network network_of(const Scenario& scenario) {
  const NetworkParameters& from = scenario.network_parameters;
  Network to;
  to.tokens = static_cast<u64>(from.tokens.get());
  to.hidden = static_cast<u64>(from.hidden.get());
  to.heads = static_cast<u64>(from.heads.get());
  to.ffn = static_cast<u64>(from.ffn.get());
  to.batch = static_cast<u64>(from.batch.get());
  to.norm = from.norm.get() == "pre" ? NormPlacement::pre : NormPlacement::post;
  to.final_norm = from.final_norm.get() == "present"  ? FinalNorm::present
                  : from.final_norm.get() == "absent" ? FinalNorm::absent
                                                      : FinalNorm::by_placement;
  to.fft_norm = from.fft_norm.get() == "none" ? FftNorm::none : FftNorm::ortho;
  to.fft_length = from.fft_length.get() == "power_of_two" ? FftLength::power_of_two : FftLength::exact;
  to.activation = activation_of(from.activation);
  to.epsilon = from.epsilon;
  to.vocabulary = static_cast<u64>(from.vocabulary.get());
  to.patch_values = static_cast<u64>(from.patch_values.get());
  to.embedding_norm = from.embedding_norm;
  to.embedding_projection = from.embedding_projection;
  to.padding_mask = from.padding_mask;
  to.pooler = from.pooler;
  to.classes = static_cast<u64>(from.classes.get());
  to.pooling = from.pooling.get() == "mean" ? Pooling::mean : Pooling::first;
  for (const auto& layer : scenario.layers) {
    const auto kind = [](const std::string& word) {
      return word == "dense" ? LinearKind::dense : LinearKind::butterfly;
    };
    to.layers.push_back(
        {mixing_of(layer->mixing), kind(layer->projections), kind(layer->ffn), mixing_values_of(*layer)});
  }
  return to;
}

/// "attention, window or blocks": the mixings that take a padding mask.
std::string masked_words() {
  std::vector<std::string> words;
  for (const Mixing mixing : all_mixings()) {
    if (declaration_of(mixing).masked) words.emplace_back(name_of(mixing));
  }
  const std::string last = words.back();
  words.pop_back();
  return fmt::format("{} or {}", fmt::join(words, ", "), last);
}

class Checks {
 public:
  Checks(Scenario& scenario, const std::string& file, const ValueSources& sources, Problems& problems)
      : scenario_(scenario), file_(file), sources_(sources), problems_(problems) {}

  void run() {
    check_required();
    if (sound("name")) check_name();
    check_run();
    if (sound("energy.profile")) check_energy();
    if (sound("compiler.stage_points")) check_compiler();
    scenario_.network = network_of(scenario_);
    check_network();
    for (std::size_t i = 0; i < scenario_.faults.size(); ++i) check_fault(i);
  }

 private:
  /// Whether no mistake was reported for this key or for keys below it.
  [[nodiscard]] bool sound(const std::string& key) const { return !problems_.concern(key); }

  [[nodiscard]] std::string where(const std::string& key) const {
    const auto given = scenario_.given.find(key);
    return given == scenario_.given.end() ? file_ : given->second;
  }

  /// Chooses the key to report of a problem with several keys: one from the command line, or else the first that was
  /// given.
  [[nodiscard]] std::string where_of(std::initializer_list<const char*> keys) const {
    const auto from_command_line =
        std::find_if(keys.begin(), keys.end(), [&](const char* key) { return source_of(key) == command_line_source; });
    if (from_command_line != keys.end()) return where(*from_command_line);
    const auto given =
        std::find_if(keys.begin(), keys.end(), [&](const char* key) { return scenario_.given.count(key) != 0; });
    return given == keys.end() ? file_ : where(*given);
  }

  /// Whether the key has a value to rely on: no mistake was reported for it, and it was given if it is required.
  [[nodiscard]] bool known(const ParamBase& parameter, const std::string& key) const {
    return sound(key) && (!parameter.required() || scenario_.given.count(key) != 0);
  }

  /// Whether the section was read, with its preset; single keys of it may be wrong.
  [[nodiscard]] bool network_was_read() const { return !problems_.name("network") && sound("network.preset"); }

  [[nodiscard]] std::string source_of(const std::string& key) const {
    const auto source = sources_.find(key);
    return source == sources_.end() ? "" : source->second;
  }

  void check_required() {
    if (!network_was_read()) return;
    for (const ParamBase* parameter : scenario_.network_parameters.parameters()) {
      const std::string key = "network." + parameter->name();
      if (parameter->required() && sound(key) && scenario_.given.count(key) == 0) {
        problems_.add(file_, key, "is missing, expected {}", expected_value(*parameter));
      }
    }
    if (sound("network.layers") && sound("network.variant") && sound("network.depth")) check_layers();
  }

  void check_layers() {
    const NetworkParameters& network = scenario_.network_parameters;
    const bool list = scenario_.given.count("network.layers") != 0;
    if (list && network.variant.get() != "custom") {
      problems_.add(where("network.variant"), "network.variant",
                    "found '{}' beside network.layers; expected only one of the two", network.variant.get());
    } else if (list && sources_.count("network.depth") != 0) {
      problems_.add(
          where("network.depth"), "network.depth",
          "found {} beside network.layers ({}), which says itself how many layers there are; expected only one of "
          "the two (layers have the key repeat)",
          network.depth.get(), where("network.layers"));
    } else if (!list && network.variant.get() != "custom" && network.depth == 0) {
      problems_.add(where_of({"network.depth", "network.variant"}), "network.depth",
                    "{}, expected at least 1 layer of the variant '{}'",
                    scenario_.given.count("network.depth") != 0 ? "found 0" : "is missing", network.variant.get());
    } else if (scenario_.layers.empty()) {
      problems_.add(where("network.layers"), "network.layers",
                    "is missing or empty, expected at least one layer (or network.variant and network.depth)");
    }
    if (!sound("network.attention_layers")) return;
    const std::string attention_from = source_of("network.attention_layers");
    if (network.variant.get() != "hybrid" &&
        (attention_from == command_line_source ||
         (attention_from == file_ && source_of("network.variant") != command_line_source))) {
      problems_.add(where("network.attention_layers"), "network.attention_layers",
                    "found {}, which has no effect on the variant '{}'; expected it with network.variant 'hybrid' only",
                    network.attention_layers.get(), network.variant.get());
    } else if (network.attention_layers > network.depth && network.depth > 0 && network.variant.get() == "hybrid") {
      problems_.add(where_of({"network.attention_layers", "network.depth"}), "network.attention_layers",
                    "found {}, expected at most network.depth = {}", network.attention_layers.get(),
                    network.depth.get());
    }
  }

  /// Names become directories and appear in reports.
  void check_name() {
    const std::string& name = scenario_.name;
    const bool sound = printable(name, name.size()) == name && name.find('/') == std::string::npos;
    if (!sound || name.empty() || name.front() == '.' || name.size() > longest_name) {
      problems_.add(where("name"), "name",
                    "found '{}', expected up to {} bytes of text without '/' and control characters, not beginning "
                    "with '.'",
                    printable(name), longest_name);
    }
  }

  void check_run() {
    const RunParameters& run = scenario_.run;
    const std::pair<const char*, const std::string&> files[] = {{"run.firmware", run.firmware},
                                                                {"run.weights", run.weights},
                                                                {"run.input", run.input},
                                                                {"run.dataset", run.dataset}};
    for (const auto& [key, name] : files) {
      const std::string wrong = name.empty() ? "" : why_no_file(name, name);
      if (!wrong.empty()) problems_.add(where(key), key, "{}", wrong);
    }
    if (!run.data && scenario_.record.tensors && sound("run.data") && sound("record.tensors")) {
      problems_.add(where_of({"record.tensors", "run.data"}), "record.tensors",
                    "there are no tensors to record in a run without data (run.data is false)");
    }
    if (run.dataset.get().empty()) {
      if (run.samples != 0 && sound("run.samples")) {
        problems_.add(where("run.samples"), "run.samples", "found {} without run.dataset, whose samples it counts",
                      run.samples.get());
      }
    } else if (sound("run.dataset")) {
      check_dataset();
    }
  }

  /// What a run over a set of samples does not go together with.
  void check_dataset() {
    const RunParameters& run = scenario_.run;
    const auto refuse = [&](const char* other, const std::string& what) {
      problems_.add(where_of({"run.dataset", other}), "run.dataset", "{}", what);
    };
    if (!run.input.get().empty()) {
      refuse("run.input", "found beside run.input; expected only one of the two: a set of samples, or a single batch");
    }
    if (!run.data && sound("run.data")) {
      refuse("run.data", "found in a run without data (run.data is false), which predicts nothing");
    }
    if (scenario_.network_parameters.classes == 0 && network_was_read() && sound("network.classes")) {
      refuse("network.classes", "found without network.classes; expected a classifier head of at least 1 class");
    }
  }

  /// What a kind of fault needs, and whether that is there.
  void check_fault(std::size_t index) {
    const std::string path = fmt::format("faults.{}", index);
    if (!sound(path)) return;
    const Fault fault = scenario_.faults[index]->value();
    const std::string kind = name_of(fault.kind);
    const auto key = [&](const char* name) { return path + "." + name; };
    const auto at = [&](const char* name) {
      return scenario_.given.count(key(name)) != 0 ? where(key(name)) : where(path);
    };
    const bool dram = fault.kind == FaultKind::dram_bit_flip;
    if (dram || fault.kind == FaultKind::scratchpad_bit_flip) {
      const i64 size = dram ? scenario_.soc.dram.geometry.size_bytes.get() : scenario_.soc.scratchpad.size_bytes.get();
      const i64 last = fault.address + (i64{fault.bit} + i64{fault.bits} - 1) / 8;
      if (fault.address < 0) {
        problems_.add(at("address"), key("address"), "is missing, expected the byte offset of the bit for kind: {}",
                      kind);
      } else if (last >= size) {
        problems_.add(at("address"), key("address"),
                      "the bits reach offset {}, expected one below the memory's {} bytes", last, size);
      }
    }
    const i64 pes = scenario_.soc.array.rows * scenario_.soc.array.columns;
    if (fault.kind == FaultKind::stuck_pe && fault.unit >= pes) {
      problems_.add(at("unit"), key("unit"), "found {}, expected a PE of the array: 0 to {}", fault.unit, pes - 1);
    }
    const bool of_dma = fault.kind == FaultKind::dma_error || fault.kind == FaultKind::lost_completion;
    const i64 channels = scenario_.soc.dma.channels;
    if (of_dma && fault.unit >= channels) {
      problems_.add(at("unit"), key("unit"), "found {}, expected a DMA channel: 0 to {}", fault.unit, channels - 1);
    }
  }

  void check_energy() {
    const std::string& profile = scenario_.energy.profile;
    const std::string at = where("energy.profile");
    if (is_energy_file(profile)) {
      const std::string wrong = why_no_file(profile, profile);
      if (!wrong.empty()) problems_.add(at, "energy.profile", "{}", wrong);
      return;
    }
    const std::vector<std::string> known(energy_profiles.begin(), energy_profiles.end());
    if (std::find(known.begin(), known.end(), profile) != known.end()) return;
    const std::string near = nearest_word(profile, known);
    problems_.add(at, "energy.profile", "found '{}', expected one of: {}, or the path of a .yaml file{}",
                  printable(profile), fmt::join(known, ", "),
                  near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
  }

  void check_compiler() {
    const i64 points = scenario_.compiler.stage_points;
    if ((points & (points - 1)) == 0) return;
    problems_.add(where("compiler.stage_points"), "compiler.stage_points", "found {}, expected 0 or a power of two",
                  points);
  }

  void check_network() {
    if (!network_was_read()) return;
    const NetworkParameters& given = scenario_.network_parameters;
    const Network& network = scenario_.network;
    const bool hidden = known(given.hidden, "network.hidden");
    const bool layers = sound("network.layers") && sound("network.variant") && sound("network.depth");
    if (layers && has_attention(network) && hidden && sound("network.heads") && network.hidden % network.heads != 0) {
      problems_.add(where_of({"network.heads", "network.hidden"}), "network.heads",
                    "{} heads do not divide hidden = {}", network.heads, network.hidden);
    }
    if (network.classes == 0 && sound("network.classes") && scenario_.given.count("network.pooling") != 0) {
      problems_.add(where("network.pooling"), "network.pooling",
                    "found '{}' without network.classes; expected a classifier head of at least 1 class",
                    given.pooling.get());
    }
    if (layers && known(given.tokens, "network.tokens")) check_mixings();
    check_ends();
    if (sound("network")) check_size();
  }

  /// What a mixing asks of its layer and of the network.
  void check_mixings() {
    const Network& network = scenario_.network;
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
      const EncoderLayer& layer = network.layers[i];
      const auto problem_of = declaration_of(layer.mixing).problem;
      const std::string problem = problem_of == nullptr ? "" : problem_of(network, layer);
      if (problem.empty()) continue;
      const std::string key = fmt::format("network.layers.{}", i);
      const std::string at = scenario_.given.count(key) != 0 ? key : "network.layers";
      problems_.add(where(at), key, "{}", problem);
      // Layers that are alike would say the same.
      return;
    }
  }

  /// What stands before and behind the layers.
  void check_ends() {
    const Network& network = scenario_.network;
    const auto needs = [&](bool wanted, const char* key, bool there, const char* what) {
      if (!wanted || there || !sound(key)) return;
      problems_.add(where(key), key, "found true without {}", what);
    };
    if (network.vocabulary > 0 && network.patch_values > 0) {
      problems_.add(where_of({"network.patch_values", "network.vocabulary"}), "network.patch_values",
                    "found {} beside network.vocabulary = {}; expected only one of the two: an input is token ids or "
                    "patches",
                    network.patch_values, network.vocabulary);
    }
    const char* const embedding = "network.vocabulary or network.patch_values; expected an embedding before it";
    needs(network.embedding_norm, "network.embedding_norm", has_embedding(network), embedding);
    needs(network.embedding_projection, "network.embedding_projection", has_embedding(network), embedding);
    needs(network.pooler, "network.pooler", network.classes > 0,
          "network.classes; expected a classifier head of at least 1 class");
    needs(network.padding_mask && sound("network.layers"), "network.padding_mask", has_attention(network),
          fmt::format("a layer with attention; expected mixing: {} in one of the layers", masked_words()).c_str());
  }

  /// A first bound, checked before anything is allocated: parameters and the largest activation must fit the DRAM's
  /// window.
  void check_size() {
    const Network& network = scenario_.network;
    double bytes = 0;
    for (const TensorSpec& spec : parameter_specs(network)) {
      double elements = 1;
      for (const u64 extent : spec.shape) elements *= static_cast<double>(extent);
      bytes += 2 * elements;
    }
    bytes += 2.0 * static_cast<double>(network.batch) * static_cast<double>(network.tokens) *
             static_cast<double>(std::max(network.hidden, network.ffn));
    if (bytes > static_cast<double>(memory_map::dram_span)) {
      problems_.add(where_of({"network.tokens", "network.hidden", "network.ffn", "network.batch", "network.vocabulary",
                              "network.patch_values", "network.classes", "network.depth", "network.layers"}),
                    "network", "parameters and activations need {:.0f} bytes, the DRAM's address range has {}", bytes,
                    memory_map::dram_span);
    }
  }

  Scenario& scenario_;
  const std::string& file_;
  const ValueSources& sources_;
  Problems& problems_;
};

}  // namespace

void check_scenario(Scenario& scenario, const std::string& file, const ValueSources& sources, Problems& problems) {
  Checks(scenario, file, sources, problems).run();
}

}  // namespace bvp
