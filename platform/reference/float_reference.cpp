// SPDX-License-Identifier: Apache-2.0
#include "platform/reference/float_reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "platform/network/half.h"
#include "platform/reference/float_evaluation.h"
#include "platform/reference/panels.h"
#include "platform/reference/tensor_lookup.h"

namespace bvp {
namespace {

FloatPanels panels_of(const Network& network, const Tensor& input) {
  check_elements("input", input, network.batch * network.tokens * network.hidden);
  return to_panels<float>(input.data.data(), network.batch, network.tokens, network.hidden, from_half);
}

void check_network(const Network& network) {
  if (has_attention(network) && (network.heads == 0 || network.hidden % network.heads != 0)) {
    throw std::invalid_argument(fmt::format("hidden {} is not a multiple of heads {}", network.hidden, network.heads));
  }
}

}  // namespace

std::vector<float> reference_float(const Network& network, const TensorMap& parameters, u64 layer, const Tensor& input,
                                   const Tensor& mask, const BlockChoices* choices) {
  if (layer >= network.layers.size()) throw std::invalid_argument(fmt::format("there is no layer {}", layer));
  check_network(network);
  const FloatPanels y = FloatEvaluation(network, parameters, &mask, choices).layer(panels_of(network, input), layer);
  return from_panels(y, network.batch, network.tokens);
}

std::vector<float> reference_float_final_norm(const Network& network, const TensorMap& parameters,
                                              const Tensor& input) {
  const FloatPanels y = FloatEvaluation(network, parameters).norm(panels_of(network, input), "final_norm");
  return from_panels(y, network.batch, network.tokens);
}

std::vector<float> reference_float_embedding(const Network& network, const TensorMap& parameters,
                                             const std::vector<u32>& tokens) {
  const u64 hidden = network.hidden;
  const u16* table = find_tensor(parameters, "embedding.token", network.vocabulary * hidden);
  const u16* position = find_tensor(parameters, "embedding.position", network.tokens * hidden);
  check_count("tokens", tokens.size(), network.batch * network.tokens);
  std::vector<float> values(tokens.size() * hidden);
  for (u64 i = 0; i < values.size(); ++i) {
    const u64 token = i / hidden, feature = i % hidden;
    values[i] = from_half(table[tokens[token] * hidden + feature]) +
                from_half(position[token % network.tokens * hidden + feature]);
  }
  if (!network.embedding_norm && !network.embedding_projection) return values;
  const FloatPanels sums =
      to_panels<float>(values.data(), network.batch, network.tokens, hidden, [](float value) { return value; });
  return from_panels(FloatEvaluation(network, parameters).embedded(sums), network.batch, network.tokens);
}

std::vector<float> reference_float_patch_embedding(const Network& network, const TensorMap& parameters,
                                                   const Tensor& patches) {
  check_elements("patches", patches, network.batch * network.tokens * network.patch_values);
  const FloatEvaluation evaluation(network, parameters);
  const FloatPanels x =
      to_panels<float>(patches.data.data(), network.batch, network.tokens, network.patch_values, from_half);
  return from_panels(evaluation.embedded(evaluation.of_patches(x)), network.batch, network.tokens);
}

namespace {

/// A dense layer with tanh, in double precision.
std::vector<double> pooler_of(const Network& network, const TensorMap& parameters, const std::vector<double>& x) {
  const u16* weight = find_tensor(parameters, "pooler.weight", x.size() * x.size());
  const u16* bias = find_tensor(parameters, "pooler.bias", network.hidden);
  std::vector<double> y;
  for (std::size_t j = 0; j < x.size(); ++j) {
    auto sum = static_cast<double>(from_half(bias[j]));
    for (std::size_t i = 0; i < x.size(); ++i) sum += static_cast<double>(from_half(weight[j * x.size() + i])) * x[i];
    y.push_back(std::tanh(sum));
  }
  return y;
}

}  // namespace

FloatLogits reference_float_logits(const Network& network, const TensorMap& parameters,
                                   const std::vector<float>& output) {
  const u64 hidden = network.hidden, classes = network.classes;
  check_count("output", output.size(), network.batch * network.tokens * hidden);
  const u16* weight = find_tensor(parameters, "classifier.weight", classes * hidden);
  const u16* bias = find_tensor(parameters, "classifier.bias", classes);
  const u64 pooled_tokens = network.pooling == Pooling::mean ? network.tokens : 1;
  FloatLogits logits;
  std::vector<double> pooled(hidden);
  for (u64 element = 0; element < network.batch; ++element) {
    double squares = 0;
    std::fill(pooled.begin(), pooled.end(), 0.0);
    for (u64 i = 0; i < pooled_tokens * hidden; ++i) {
      pooled[i % hidden] += static_cast<double>(output[element * network.tokens * hidden + i]);
    }
    for (double& value : pooled) value /= static_cast<double>(pooled_tokens);
    const std::vector<double> inputs = network.pooler ? pooler_of(network, parameters, pooled) : pooled;
    for (u64 j = 0; j < classes; ++j) {
      auto sum = static_cast<double>(from_half(bias[j]));
      squares += sum * sum;
      for (u64 i = 0; i < hidden; ++i) {
        const double term = static_cast<double>(from_half(weight[j * hidden + i])) * inputs[i];
        sum += term;
        squares += term * term;
      }
      logits.values.push_back(static_cast<float>(sum));
    }
    logits.sizes.push_back(std::sqrt(squares));
  }
  return logits;
}

FloatResult reference_float_network(const Network& network, const TensorMap& parameters,
                                    const std::vector<float>& input, u64 first_layer, const Tensor& mask,
                                    const BlockChoices* choices) {
  check_network(network);
  check_count("input", input.size(), network.batch * network.tokens * network.hidden);
  const FloatEvaluation evaluation(network, parameters, &mask, choices);
  FloatPanels x =
      to_panels<float>(input.data(), network.batch, network.tokens, network.hidden, [](float value) { return value; });
  for (u64 index = first_layer; index < network.layers.size(); ++index) x = evaluation.layer(x, index);
  if (has_final_norm(network)) x = evaluation.norm(x, "final_norm");
  FloatResult result;
  result.output = from_panels(x, network.batch, network.tokens);
  if (network.classes > 0) result.logits = reference_float_logits(network, parameters, result.output);
  return result;
}

std::vector<float> widened(const std::vector<u16>& halves) {
  std::vector<float> values(halves.size());
  std::transform(halves.begin(), halves.end(), values.begin(), from_half);
  return values;
}

RelativeError relative_error(const std::vector<u16>& got, const std::vector<float>& want, std::size_t row_length,
                             const std::vector<double>& row_sizes) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr double least = 1e-30;
  const std::size_t rows = row_length == 0 ? 0 : want.size() / row_length;
  if (got.size() != want.size() || rows * row_length != want.size()) return {infinity, infinity, 0};
  std::vector<double> differences(rows), sizes(rows);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const auto wanted = static_cast<double>(want[i]);
    const double error = static_cast<double>(from_half(got[i])) - wanted;
    differences[i / row_length] += error * error;
    sizes[i / row_length] += wanted * wanted;
  }
  double difference = 0, size = 0, least_size = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    difference += differences[row];
    size += sizes[row];
    if (!row_sizes.empty()) least_size += row_sizes[row] * row_sizes[row];
  }
  const auto ratio = [&](double squares, double of) {
    const double error = std::sqrt(squares) / std::max(of, least);
    return std::isnan(error) ? infinity : error;
  };
  RelativeError result;
  result.whole = ratio(difference, std::sqrt(std::max(size, least_size)));
  double median = 0;
  if (row_sizes.empty() && rows > 0) {
    std::vector<double> order = sizes;
    const auto middle = order.begin() + static_cast<std::ptrdiff_t>(rows / 2);
    std::nth_element(order.begin(), middle, order.end());
    median = std::sqrt(*middle);
  }
  for (std::size_t row = 0; row < rows; ++row) {
    const double error =
        ratio(differences[row], std::max(std::sqrt(sizes[row]), row_sizes.empty() ? median : row_sizes[row]));
    if (error > result.largest_of_row) {
      result.largest_of_row = error;
      result.row = row;
    }
  }
  return result;
}

}  // namespace bvp
