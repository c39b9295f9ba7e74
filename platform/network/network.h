// SPDX-License-Identifier: Apache-2.0
// A hybrid butterfly-sparsity network: what is computed, without any notion of the hardware.
#pragma once

#include <string>
#include <vector>

#include "models/base/types.h"

namespace bvp {

/// attention: every token sees all of them; window, blocks, topk: attention in which it sees some (SparseAttention).
enum class Mixing { attention, fft2d, window, blocks, topk };
enum class LinearKind { dense, butterfly };
enum class NormPlacement { post, pre };
enum class FftNorm { ortho, none };
enum class FftLength { exact, power_of_two };
/// gelu is the exact one, with erf; gelu_tanh the approximation with tanh.
enum class Activation { gelu, relu, gelu_tanh, tanh };
enum class Pooling { first, mean };
/// A layer norm behind the last layer; by_placement: where the norms of the layers are `pre`.
enum class FinalNorm { by_placement, present, absent };

/// Blocks of keys that topk may choose.
inline constexpr u64 most_top_blocks = 256;

/// The keys that sparse attention leaves in; what each field means is said in docs/scenario.md.
struct SparseAttention {
  u64 window = 0;         // of window: tokens that a token sees on either side of itself
  u64 global_tokens = 0;  // of window: the first tokens, so many, see all tokens and are seen by all
  u64 block = 0;          // of blocks and topk: tokens of a block; divides the tokens
  // Of blocks: the blocks of keys of each block of queries, ascending. Empty: the butterfly pattern.
  std::vector<std::vector<u32>> key_blocks;
  u64 top_blocks = 0;  // of topk: blocks of keys that a block of queries chooses
};

struct EncoderLayer {
  Mixing mixing = Mixing::attention;
  LinearKind projections = LinearKind::butterfly;  // query, key, value, output; not where mixing is fft2d
  LinearKind ffn = LinearKind::butterfly;
  SparseAttention sparse{};
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
inline bool attends(const EncoderLayer& layer) { return layer.mixing != Mixing::fft2d; }

/// Whether that attention leaves out keys.
inline bool is_sparse(const EncoderLayer& layer) { return attends(layer) && layer.mixing != Mixing::attention; }

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

/// Whether a layer of the network transforms a dimension whose size is not a power of two.
inline bool transforms_other_lengths(const Network& network) {
  bool transforms = false;
  for (const EncoderLayer& layer : network.layers) transforms = transforms || layer.mixing == Mixing::fft2d;
  return transforms &&
         (next_power_of_two(network.tokens) != network.tokens || next_power_of_two(network.hidden) != network.hidden);
}

inline unsigned log2_of(u64 power_of_two) { return static_cast<unsigned>(__builtin_ctzll(power_of_two)); }

}  // namespace bvp
