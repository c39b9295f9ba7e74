// SPDX-License-Identifier: Apache-2.0
// The parameters of a network: their names and shapes, drawn from a seed or read from a file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "platform/network/network.h"
#include "platform/network/tensors.h"

namespace bvp {

enum class TensorRole { dense, twiddle, bias, norm_weight, norm_bias, embedding };

struct TensorSpec {
  std::string name;
  std::vector<u64> shape;
  TensorRole role = TensorRole::dense;
  u64 inputs = 0;  ///< of the linear layer that a dense matrix or a twiddle belongs to
};

/// Adds the tensors of a linear layer: weight or twiddle, and bias.
void add_linear(std::vector<TensorSpec>& specs, const std::string& name, LinearKind kind, u64 inputs, u64 outputs);

/// Every parameter of the network, in the order of its layers.
std::vector<TensorSpec> parameter_specs(const Network& network);

/// Draws all parameters from the seed; they are the same on every host. Each tensor has its own random stream, named by
/// seed and tensor, so that a change of one layer does not change the others. Factors of a butterfly are
/// near-orthogonal, and every layer keeps the scale of its input, so that activations stay in the range of fp16.
TensorMap random_weights(const Network& network, u64 seed);

/// The shapes of all parameters without data, for runs that compute nothing.
TensorMap weight_shapes(const Network& network);

/// The shapes of all parameters in a file, of which only the header is read.
/// @param notes  receives sentences on changes to the file's tensors; may be null
/// @throws InputError  lists all tensors that are missing, unexpected or of the wrong shape
TensorMap load_weight_shapes(const std::filesystem::path& file, const Network& network,
                             std::vector<std::string>* notes = nullptr);

/// The tensor of floats that a network without a vocabulary has as its input.
struct InputSpec {
  const char* name = "input";  ///< or "patches"
  std::vector<u64> shape;      ///< [batch, tokens, hidden], or [batch, tokens, patch_values]
};
[[nodiscard]] InputSpec input_spec(const Network& network);

/// Standard normal, of the shape of input_spec().
Tensor random_input(const Network& network, u64 seed);

/// Token ids below the vocabulary, uniform; [batch, tokens].
std::vector<u32> random_tokens(const Network& network, u64 seed);

/// What attention adds to the scores of a token that the mask leaves out: behind the maximum of a row of scores, their
/// exponentials are 0.
inline constexpr u16 masked_score = 0xf800;  // -32768

/// What the padding mask adds to the scores of each token: 0 or masked_score; [batch, tokens]. Each sequence has a
/// random number of tokens, at least 1; those behind are left out.
Tensor random_mask(const Network& network, u64 seed);

/// Reads all parameters from a file. BF16, F32 and F64 are rounded to fp16. Tensors that are not of floats are ignored,
/// unless the network needs one of this name. A prefix that the names of all parameters have is removed. `notes` (may
/// be null) receives a sentence on either.
/// @throws InputError  lists all tensors that are missing, unexpected, of the wrong shape or not finite
TensorMap load_weights(const std::filesystem::path& file, const Network& network,
                       std::vector<std::string>* notes = nullptr);

/// Checks whether load_input() finds the tensor in the expected shape; reads only the header.
/// @throws InputError  it does not
void check_input_shape(const std::filesystem::path& file, const Network& network);

/// The tensor of input_spec() of a file. @throws InputError
Tensor load_input(const std::filesystem::path& file, const Network& network);

/// The tensor `tokens` of a file, [batch, tokens]. @throws InputError
std::vector<u32> load_tokens(const std::filesystem::path& file, const Network& network);

/// The tensor `mask` of a file, [batch, tokens], of 1 and, for tokens that are left out, 0, as what random_mask()
/// gives.
/// @throws InputError
Tensor load_mask(const std::filesystem::path& file, const Network& network);
/// The mask of a file again: 1 and 0.
[[nodiscard]] Tensor mask_of_scores(Tensor mask);

}  // namespace bvp
