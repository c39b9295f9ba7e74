// SPDX-License-Identifier: Apache-2.0
#include "platform/reference/reference.h"

#include <fmt/format.h>

#include <stdexcept>

#include "platform/network/half.h"
#include "platform/reference/half_evaluation.h"
#include "platform/reference/panels.h"
#include "platform/reference/rounding.h"
#include "platform/reference/tensor_lookup.h"

namespace bvp {

TensorMap reference_network(const Network& network, const TensorMap& parameters, const Tensor& input,
                            const ReferenceOptions& options, const Tensor& mask, BlockChoices* choices) {
  check_elements("input", input, network.batch * network.tokens * network.hidden);
  if (!mask.data.empty()) check_elements("mask", mask, network.batch * network.tokens);
  if (has_attention(network) && (network.heads == 0 || network.hidden % network.heads != 0)) {
    throw std::invalid_argument(fmt::format("hidden {} is not a multiple of heads {}", network.hidden, network.heads));
  }
  const HalfEvaluation evaluation(network, parameters, options, &mask, choices);
  const auto tensor = [&](const HalfPanels& x) {
    return Tensor{{network.batch, network.tokens, network.hidden}, from_panels(x, network.batch, network.tokens)};
  };
  TensorMap result;
  HalfPanels x =
      to_panels<u16>(input.data.data(), network.batch, network.tokens, network.hidden, [](u16 value) { return value; });
  for (u64 index = 0; index < network.layers.size(); ++index) {
    x = evaluation.layer(x, index);
    result.emplace(fmt::format("layers.{}.output", index), tensor(x));
  }
  if (has_final_norm(network)) x = evaluation.norm(x, "final_norm");
  result.emplace("output", tensor(x));
  if (network.classes > 0) result.emplace("logits", Tensor{{network.batch, network.classes}, evaluation.logits(x)});
  return result;
}

namespace {

constexpr auto same = [](u16 value) { return value; };

}  // namespace

Tensor reference_embedding(const Network& network, const TensorMap& parameters, const std::vector<u32>& tokens,
                           const ReferenceOptions& options) {
  const u64 hidden = network.hidden;
  const u16* table = find_tensor(parameters, "embedding.token", network.vocabulary * hidden);
  const u16* position = find_tensor(parameters, "embedding.position", network.tokens * hidden);
  check_count("tokens", tokens.size(), network.batch * network.tokens);
  Tensor result{{network.batch, network.tokens, hidden}, {}};
  result.data.reserve(tokens.size() * hidden);
  for (u64 t = 0; t < tokens.size(); ++t) {
    if (tokens[t] >= network.vocabulary) {
      throw std::invalid_argument(
          fmt::format("token {} is not below the vocabulary {}", tokens[t], network.vocabulary));
    }
    for (u64 i = 0; i < hidden; ++i) {
      const float sum = from_half(table[tokens[t] * hidden + i]) + from_half(position[t % network.tokens * hidden + i]);
      result.data.push_back(rounded(sum));
    }
  }
  if (!network.embedding_norm && !network.embedding_projection) return result;
  const HalfEvaluation evaluation(network, parameters, options);
  const HalfPanels sums = to_panels<u16>(result.data.data(), network.batch, network.tokens, hidden, same);
  result.data = from_panels(evaluation.embedded(sums), network.batch, network.tokens);
  return result;
}

Tensor reference_patch_embedding(const Network& network, const TensorMap& parameters, const Tensor& patches,
                                 const ReferenceOptions& options) {
  check_elements("patches", patches, network.batch * network.tokens * network.patch_values);
  const HalfEvaluation evaluation(network, parameters, options);
  const HalfPanels x = to_panels<u16>(patches.data.data(), network.batch, network.tokens, network.patch_values, same);
  return {{network.batch, network.tokens, network.hidden},
          from_panels(evaluation.embedded(evaluation.of_patches(x)), network.batch, network.tokens)};
}

}  // namespace bvp
