// SPDX-License-Identifier: Apache-2.0
// A hybrid butterfly-sparsity network: what is computed, without any notion of the hardware.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "models/base/parameters.h"
#include "models/base/types.h"

namespace bvp {

/// How a layer mixes its tokens: the name of a folder of platform/operators, which says what it is (mixing.h).
enum class Mixing {
#define BVP_ENTRY(name) name,
#include "platform_operators.list"
#undef BVP_ENTRY
};
enum class LinearKind { dense, butterfly };
enum class NormPlacement { post, pre };
enum class FftNorm { ortho, none };
enum class FftLength { exact, power_of_two };
/// gelu is the exact one, with erf; gelu_tanh the approximation with tanh.
enum class Activation { gelu, relu, gelu_tanh, tanh };
enum class Pooling { first, mean };
/// A layer norm behind the last layer; by_placement: where the norms of the layers are `pre`.
enum class FinalNorm { by_placement, present, absent };

/// Values of the parameters that a layer's mixing declares, by name; one that is not here has its default (mixing.h).
using MixingValues = std::map<std::string, ParamValue>;

struct EncoderLayer {
  Mixing mixing = Mixing::attention;
  LinearKind projections = LinearKind::butterfly;  // query, key, value, output; used where the layer attends
  LinearKind ffn = LinearKind::butterfly;
  MixingValues values{};
};

/// Sizes are counts of elements; the meaning of every field is that of the network description in network.json.
struct Network {
  u64 tokens = 0;
  u64 hidden = 0;
  u64 heads = 1;
  u64 ffn = 0;
  u64 batch = 1;
  NormPlacement norm = NormPlacement::post;
  FinalNorm final_norm = FinalNorm::by_placement;
  FftNorm fft_norm = FftNorm::ortho;
  FftLength fft_length = FftLength::exact;
  Activation activation = Activation::gelu;
  double epsilon = 1e-5;
  // Number of token ids that the embedding knows; 0: there is no embedding, and the input is embedded already.
  u64 vocabulary = 0;
  // Values of a patch of an image, of which a dense layer makes a token; 0: the input is no patches.
  u64 patch_values = 0;
  bool embedding_norm = false;        // a layer norm behind the sum of the embedding
  bool embedding_projection = false;  // a dense layer behind that
  bool padding_mask = false;          // attention leaves out the tokens that the input's mask says
  u64 classes = 0;                    // outputs of the classifier head; 0: there is none
  Pooling pooling = Pooling::first;
  bool pooler = false;  // a dense layer with tanh between pooling and classifier
  std::vector<EncoderLayer> layers;
};

inline bool has_final_norm(const Network& network) {
  if (network.final_norm == FinalNorm::by_placement) return network.norm == NormPlacement::pre;
  return network.final_norm == FinalNorm::present;
}

/// Whether the first layer's input is made of something else.
inline bool has_embedding(const Network& network) { return network.vocabulary > 0 || network.patch_values > 0; }

inline bool has_mixing(const Network& network, Mixing mixing) {
  for (const EncoderLayer& layer : network.layers) {
    if (layer.mixing == mixing) return true;
  }
  return false;
}

/// Whether a layer mixes its tokens by attention of any kind: then it has queries, keys and values.
[[nodiscard]] bool attends(const EncoderLayer& layer);

/// Whether a layer of the network mixes its tokens by attention of any kind: only then do heads mean something.
inline bool has_attention(const Network& network) {
  for (const EncoderLayer& layer : network.layers) {
    if (attends(layer)) return true;
  }
  return false;
}

inline u64 next_power_of_two(u64 n) {
  u64 power = 1;
  while (power < n) power *= 2;
  return power;
}

/// Points of the network's transform along a dimension of this size.
inline u64 fft_points(const Network& network, u64 size) {
  return network.fft_length == FftLength::exact ? size : next_power_of_two(size);
}

/// Whether a layer of the network transforms a dimension whose size is not a power of two. The word fft2d stands here
/// because fft_length and fft_norm are keys of the network that are about this mixing alone.
inline bool transforms_other_lengths(const Network& network) {
  return has_mixing(network, Mixing::fft2d) &&
         (next_power_of_two(network.tokens) != network.tokens || next_power_of_two(network.hidden) != network.hidden);
}

inline unsigned log2_of(u64 power_of_two) { return static_cast<unsigned>(__builtin_ctzll(power_of_two)); }

}  // namespace bvp
