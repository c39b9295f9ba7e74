// SPDX-License-Identifier: Apache-2.0
// The layers of a network in fp32: what the fp32 references of mixings are part of, and what they may use.
#pragma once

#include <string>
#include <vector>

#include "platform/network/network.h"
#include "platform/network/tensors.h"
#include "platform/reference/panels.h"
#include "platform/reference/reference.h"

namespace bvp {

using FloatPanels = Panels<float>;

class FloatEvaluation {
 public:
  /// What it is given must outlive it.
  /// @param mask  [batch, tokens], or empty; may be null
  /// @param choices  as in reference_float
  FloatEvaluation(const Network& network, const TensorMap& parameters, const Tensor* mask = nullptr,
                  const BlockChoices* choices = nullptr)
      : network_(network), parameters_(parameters), mask_(mask), choices_(choices) {}

  [[nodiscard]] const Network& network() const { return network_; }
  [[nodiscard]] const BlockChoices* choices() const { return choices_; }
  /// Whether the mask leaves out a token of a batch element.
  [[nodiscard]] bool leaves_out(u64 element, u64 token) const {
    return mask_ != nullptr && !mask_->data.empty() && mask_->data[element * network_.tokens + token] != 0;
  }

  /// The sums of tokens and positions as the first layer takes them.
  [[nodiscard]] FloatPanels embedded(FloatPanels x) const;
  /// Tokens of patches, with their positions.
  [[nodiscard]] FloatPanels of_patches(const FloatPanels& patches) const;
  [[nodiscard]] FloatPanels layer(const FloatPanels& x, u64 index) const;
  [[nodiscard]] FloatPanels norm(const FloatPanels& x, const std::string& name) const;
  /// A linear layer with its bias.
  [[nodiscard]] FloatPanels linear(const FloatPanels& x, LinearKind kind, const std::string& name, u64 outputs) const;
  [[nodiscard]] std::vector<float> parameter(const std::string& name, u64 elements) const;

 private:
  [[nodiscard]] FloatPanels feed_forward(const FloatPanels& x, const EncoderLayer& layer,
                                         const std::string& name) const;
  [[nodiscard]] float activated(float v) const;
  [[nodiscard]] FloatPanels dense(const FloatPanels& x, const std::string& name, u64 outputs) const;
  [[nodiscard]] FloatPanels butterfly(const FloatPanels& x, const std::string& name, u64 outputs) const;

  const Network& network_;
  const TensorMap& parameters_;
  const Tensor* mask_;           // may be null
  const BlockChoices* choices_;  // may be null
};

/// mix(x) for the layer with this index. The file NAME/float_reference.cpp of platform/operators defines it as
/// `FloatPanels NAME(const FloatEvaluation&, const FloatPanels& x, u64 layer)` in the namespace bvp::float_references.
[[nodiscard]] FloatPanels mix_floats(const FloatEvaluation& evaluation, const FloatPanels& x, u64 layer);

}  // namespace bvp
