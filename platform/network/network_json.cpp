// SPDX-License-Identifier: Apache-2.0
#include "platform/network/network_json.h"

#include <fmt/format.h>

#include <variant>

namespace bvp {

const char* name_of(Activation activation) {
  switch (activation) {
    case Activation::gelu:
      return "gelu";
    case Activation::gelu_tanh:
      return "gelu_tanh";
    case Activation::tanh:
      return "tanh";
    case Activation::relu:
      break;
  }
  return "relu";
}
const char* name_of(LinearKind kind) { return kind == LinearKind::dense ? "dense" : "butterfly"; }

nlohmann::ordered_json network_json(const Network& network) {
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (const EncoderLayer& layer : network.layers) {
    layers.push_back(
        {{"mixing", name_of(layer.mixing)}, {"projections", name_of(layer.projections)}, {"ffn", name_of(layer.ffn)}});
    for (const MixingParameter& parameter : declaration_of(layer.mixing).parameters) {
      std::visit([&](const auto& value) { layers.back()[parameter.name] = value; },
                 mixing_value(layer, parameter.name));
    }
  }
  nlohmann::ordered_json json{{"tokens", network.tokens},
                              {"hidden", network.hidden},
                              {"heads", network.heads},
                              {"ffn", network.ffn},
                              {"batch", network.batch},
                              {"norm", network.norm == NormPlacement::post ? "post" : "pre"},
                              {"fft_norm", network.fft_norm == FftNorm::ortho ? "ortho" : "none"},
                              {"fft_length", network.fft_length == FftLength::exact ? "exact" : "power_of_two"},
                              {"activation", name_of(network.activation)},
                              {"epsilon", network.epsilon},
                              {"layers", layers}};
  if (network.final_norm != FinalNorm::by_placement)
    json["final_norm"] = has_final_norm(network) ? "present" : "absent";
  if (network.vocabulary > 0) json["vocabulary"] = network.vocabulary;
  if (network.patch_values > 0) json["patch_values"] = network.patch_values;
  if (network.embedding_norm) json["embedding_norm"] = true;
  if (network.embedding_projection) json["embedding_projection"] = true;
  if (network.padding_mask) json["padding_mask"] = true;
  if (network.classes > 0) {
    json["classes"] = network.classes;
    json["pooling"] = network.pooling == Pooling::first ? "first" : "mean";
    if (network.pooler) json["pooler"] = true;
  }
  return json;
}

/// The word fft2d stands here because fft_length is a key of the network that is about this mixing alone.
std::string zero_padding(const Network& network) {
  if (network.fft_length == FftLength::exact || !transforms_other_lengths(network)) return {};
  return fmt::format(
      "the fft2d layers transform {} tokens x {} values zero-padded to {} x {} points and cut back "
      "(network.fft_length: "
      "power_of_two); that is another function than a transform of {} x {} points, as torch.fft.fftn computes it",
      network.tokens, network.hidden, fft_points(network, network.tokens), fft_points(network, network.hidden),
      network.tokens, network.hidden);
}

}  // namespace bvp
