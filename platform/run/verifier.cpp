// SPDX-License-Identifier: Apache-2.0
#include "platform/run/verifier.h"

#include <fmt/format.h>

#include <algorithm>

#include "platform/network/half.h"
#include "platform/reference/float_reference.h"
#include "platform/reference/reference.h"
#include "platform/run/not_finite_recorder.h"

namespace bvp {
namespace {

class Verifier {
 public:
  explicit Verifier(const Evidence& evidence)
      : evidence_(evidence), inputs_(evidence.inputs), network_(evidence.scenario.network) {}

  Verdict verify() {
    const VerifyParameters& parameters = evidence_.scenario.verify;
    Verification& verification = verdict_.verification;
    verification.checked = true;
    verification.tolerance = parameters.tolerance;
    verification.row_tolerance = parameters.row_tolerance;
    verification.end_to_end_tolerance = parameters.end_to_end_tolerance;
    const u64 different = count_different();
    verification.bit_exact = different == 0;
    measure_end_to_end(measure_stages());
    if (different != 0) {
      verdict_.failure = fmt::format("{} values differ from the fp16 reference", different);
    } else {
      check_tolerances();
    }
    return std::move(verdict_);
  }

 private:
  [[nodiscard]] const Tensor& first_input() const { return evidence_.outputs.at("input"); }
  [[nodiscard]] const Tensor& mask() const { return inputs_.mask; }

  /// What the embedding must make of the input; empty if there is none.
  [[nodiscard]] Tensor embed(const ReferenceOptions& options) const {
    if (network_.vocabulary > 0) return reference_embedding(network_, inputs_.weights, inputs_.tokens, options);
    if (network_.patch_values > 0) return reference_patch_embedding(network_, inputs_.weights, inputs_.input, options);
    return {};
  }

  /// The same in fp32.
  [[nodiscard]] std::vector<float> embed_float() const {
    return network_.vocabulary > 0 ? reference_float_embedding(network_, inputs_.weights, inputs_.tokens)
                                   : reference_float_patch_embedding(network_, inputs_.weights, inputs_.input);
  }

  /// Number of values that differ from the fp16 reference.
  [[nodiscard]] u64 count_different() {
    const ReferenceOptions options{inputs_.compiled.key_block,
                                   inputs_.compiled.sum_ways,
                                   inputs_.compiled.reductions.normalised,
                                   inputs_.compiled.fft == FftForm::real,
                                   inputs_.compiled.exact.tokens,
                                   inputs_.compiled.exact.hidden,
                                   inputs_.compiled.query_blocks,
                                   inputs_.compiled.reductions.twiddle_ratios};
    const Tensor embedded = embed(options);
    TensorMap expected = reference_network(
        network_, inputs_.weights, has_embedding(network_) ? embedded : first_input(), options, mask(), &choices_);
    if (has_embedding(network_)) expected.emplace("input", embedded);
    u64 different = 0;
    for (const auto& [name, tensor] : expected) {
      const Tensor& got = evidence_.outputs.at(name);
      for (std::size_t i = 0; i < tensor.data.size(); ++i) different += got.data[i] != tensor.data[i] ? 1 : 0;
    }
    return different;
  }

  void note_row(RowError& worst, const std::string& tensor, double error, u64 row) const {
    if (error <= worst.error) return;
    const u64 tokens = tensor == "logits" ? 1 : network_.tokens;
    worst = {error, tensor, row / tokens, row % tokens};
  }

  /// Verifies each stage, starting from the run's own input of that stage. Returns the first layer's output in fp32.
  std::vector<float> measure_stages() {
    Verification& verification = verdict_.verification;
    const auto measure = [&](const std::string& name, const Tensor& got, const std::vector<float>& want,
                             const std::vector<double>& sizes = {}) {
      const RelativeError error = relative_error(got.data, want, got.shape.back(), sizes);
      verification.relative_error = std::max(verification.relative_error, error.whole);
      note_row(verification.row, name, error.largest_of_row, error.row);
      return error;
    };
    if (has_embedding(network_)) measure("input", first_input(), embed_float());
    std::vector<float> first;
    for (std::size_t i = 0; i < network_.layers.size(); ++i) {
      const std::string name = layer_output(i);
      const Tensor& from = i == 0 ? first_input() : evidence_.outputs.at(layer_output(i - 1));
      std::vector<float> want = reference_float(network_, inputs_.weights, i, from, mask(), &choices_);
      const RelativeError error = measure(name, evidence_.outputs.at(name), want);
      if (i == 0) first = std::move(want);
      verdict_.layers.push_back({error.whole, error.largest_of_row});
    }
    const Tensor& output = evidence_.outputs.at("output");
    if (has_final_norm(network_)) {
      const Tensor& last = evidence_.outputs.at(layer_output(network_.layers.size() - 1));
      measure("output", output, reference_float_final_norm(network_, inputs_.weights, last));
    }
    if (network_.classes > 0) {
      const FloatLogits logits = reference_float_logits(network_, inputs_.weights, widened(output.data));
      measure("logits", evidence_.outputs.at("logits"), logits.values, logits.sizes);
    }
    return first;
  }

  /// Compares the last results with a network that rounds nothing on the way. If the run's input is the network's
  /// input, the first layer of that network has been evaluated already.
  void measure_end_to_end(const std::vector<float>& first_layer) {
    Verification& verification = verdict_.verification;
    const FloatResult want =
        has_embedding(network_)
            ? reference_float_network(network_, inputs_.weights, embed_float(), 0, mask(), &choices_)
            : reference_float_network(network_, inputs_.weights, first_layer, 1, mask(), &choices_);
    const RelativeError output = relative_error(evidence_.outputs.at("output").data, want.output, network_.hidden);
    verification.end_to_end_error = output.whole;
    note_row(verification.end_to_end_row, "output", output.largest_of_row, output.row);
    if (network_.classes == 0) return;
    const RelativeError logits =
        relative_error(evidence_.outputs.at("logits").data, want.logits.values, network_.classes, want.logits.sizes);
    note_row(verification.logits.emplace(), "logits", logits.largest_of_row, logits.row);
    for (auto row = want.logits.values.begin(); row != want.logits.values.end(); row += classes()) {
      verdict_.classes.push_back(static_cast<u32>(std::max_element(row, row + classes()) - row));
    }
  }

  [[nodiscard]] std::ptrdiff_t classes() const { return static_cast<std::ptrdiff_t>(network_.classes); }

  void check_tolerances() {
    const Verification& verification = verdict_.verification;
    const auto place = [](const RowError& row) {
      return row.tensor == "logits" ? fmt::format("sequence {}", row.sequence)
                                    : fmt::format("token {} of sequence {} of {}", row.token, row.sequence, row.tensor);
    };
    const auto check = [&](double error, double tolerance, const std::string& what, const char* key) {
      if (!verdict_.failure.empty() || error <= tolerance) return;
      verdict_.failure =
          fmt::format("the relative error of {} is {:.3g} and exceeds {:.3g} ({})", what, error, tolerance, key);
    };
    check(verification.relative_error, verification.tolerance, "a layer", "verify.tolerance");
    check(verification.row.error, verification.row_tolerance, place(verification.row), "verify.row_tolerance");
    const double end_to_end = verification.end_to_end_tolerance;
    const char* const key = "verify.end_to_end_tolerance";
    check(verification.end_to_end_row.error, end_to_end,
          place(verification.end_to_end_row) + ", from the network's input on,", key);
    if (verification.logits) {
      check(verification.logits->error, end_to_end,
            "the logits of " + place(*verification.logits) + ", from the network's input on,", key);
    }
  }

  const Evidence& evidence_;
  const RunInputs& inputs_;
  const Network& network_;
  BlockChoices choices_;  // that topk has made, by the fp16 reference
  Verdict verdict_;
};

/// Describes the first tensor, in the network's order, that contains a value which is not finite; empty if there is
/// none.
std::string tensor_not_finite(const Evidence& evidence) {
  std::vector<std::string> names{"input"};
  for (std::size_t i = 0; i < evidence.scenario.network.layers.size(); ++i) names.push_back(layer_output(i));
  names.insert(names.end(), {"output", "logits"});
  for (const std::string& name : names) {
    const auto found = evidence.outputs.find(name);
    if (found == evidence.outputs.end()) continue;
    const Tensor& tensor = found->second;
    const auto first = std::find_if_not(tensor.data.begin(), tensor.data.end(), is_finite_half);
    if (first == tensor.data.end()) continue;
    const auto at = static_cast<u64>(first - tensor.data.begin());
    const u64 row = at / tensor.shape.back(), column = at % tensor.shape.back();
    return fmt::format("{} has a value that is {}, the first in row {}, column {}", name,
                       (*first & 0x3ff) != 0 ? "not a number" : "infinite", row, column);
  }
  return {};
}

bool given_values_finite(const Evidence& evidence) {
  const TensorMap& weights = evidence.inputs.weights;
  const auto finite = [](const Tensor& tensor) {
    return std::all_of(tensor.data.begin(), tensor.data.end(), is_finite_half);
  };
  return (!evidence.inputs.tokens.empty() || finite(evidence.inputs.input)) &&
         std::all_of(weights.begin(), weights.end(), [&](const auto& entry) { return finite(entry.second); });
}

/// The row with the larger error; `second` is of a batch whose first sequence has the number `first_sequence`.
RowError worse(const RowError& first, RowError second, u64 first_sequence) {
  second.sequence += first_sequence;
  return second.error > first.error ? second : first;
}

}  // namespace

void Verdict::add(Verdict batch, u64 first) {
  const Verification& other = batch.verification;
  verification.relative_error = std::max(verification.relative_error, other.relative_error);
  verification.row = worse(verification.row, other.row, first);
  verification.end_to_end_error = std::max(verification.end_to_end_error, other.end_to_end_error);
  verification.end_to_end_row = worse(verification.end_to_end_row, other.end_to_end_row, first);
  if (verification.logits && other.logits) {
    verification.logits = worse(*verification.logits, *other.logits, first);
  }
  verification.bit_exact = verification.bit_exact && other.bit_exact;
  if (failure.empty() && !batch.failure.empty()) {
    failure = fmt::format("in the batch that begins with sample {}: {}", first, batch.failure);
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    layers[i].whole = std::max(layers[i].whole, batch.layers[i].whole);
    layers[i].row = std::max(layers[i].row, batch.layers[i].row);
  }
  classes.insert(classes.end(), batch.classes.begin(), batch.classes.end());
}

Verdict verify(const Evidence& evidence) { return Verifier(evidence).verify(); }

std::string why_not_finite(const Evidence& evidence, const NotFiniteResults& found, u64 inferences) {
  const std::string tensor = inferences > 0 ? tensor_not_finite(evidence) : "";
  const bool made = !found.kernels.empty();
  if (tensor.empty() && !made) return {};
  if (!given_values_finite(evidence)) {
    // Kernels that only pass such values on have not made them.
    if (tensor.empty()) return {};
    return fmt::format("{}; its input or its weights already have values that are not finite", tensor);
  }
  if (!made) return tensor;
  return first_not_finite(found) + (tensor.empty() ? "" : "; " + tensor);
}

}  // namespace bvp
