// SPDX-License-Identifier: Apache-2.0
#include "platform/network/network_json.h"

namespace bvp {

const char* name_of(Mixing mixing) { return mixing == Mixing::attention ? "attention" : "fft2d"; }
const char* name_of(LinearKind kind) { return kind == LinearKind::dense ? "dense" : "butterfly"; }

nlohmann::ordered_json network_json(const Network& network) {
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (const EncoderLayer& layer : network.layers) {
    layers.push_back(
        {{"mixing", name_of(layer.mixing)}, {"projections", name_of(layer.projections)}, {"ffn", name_of(layer.ffn)}});
  }
  nlohmann::ordered_json json{{"tokens", network.tokens},
                              {"hidden", network.hidden},
                              {"heads", network.heads},
                              {"ffn", network.ffn},
                              {"batch", network.batch},
                              {"norm", network.norm == NormPlacement::post ? "post" : "pre"},
                              {"fft_norm", network.fft_norm == FftNorm::ortho ? "ortho" : "none"},
                              {"activation", network.activation == Activation::gelu ? "gelu" : "relu"},
                              {"epsilon", network.epsilon},
                              {"layers", layers}};
  if (network.vocabulary > 0) json["vocabulary"] = network.vocabulary;
  if (network.classes > 0) {
    json["classes"] = network.classes;
    json["pooling"] = network.pooling == Pooling::first ? "first" : "mean";
  }
  return json;
}

}  // namespace bvp
