// SPDX-License-Identifier: Apache-2.0
// The layers of a network in fp16, with the machine's order of operations: what the references of mixings are part of,
// and what they may use.
#pragma once

#include <string>
#include <vector>

#include "platform/network/network.h"
#include "platform/network/tensors.h"
#include "platform/reference/functions.h"
#include "platform/reference/kernels.h"
#include "platform/reference/panels.h"
#include "platform/reference/reference.h"

namespace bvp {

using HalfPanels = Panels<u16>;

/// What a mixing makes of the tokens of a layer, with the residual.
struct MixedHalves {
  HalfPanels values;
  double share = 1;  ///< the values are that share of what a layer norm behind them is to normalise
};

class HalfEvaluation {
 public:
  /// What it is given must outlive it.
  /// @param mask  [batch, tokens], or empty; may be null
  /// @param choices  as in reference_network
  HalfEvaluation(const Network& network, const TensorMap& parameters, const ReferenceOptions& options,
                 const Tensor* mask = nullptr, BlockChoices* choices = nullptr)
      : network_(network),
        parameters_(parameters),
        options_(options),
        mask_(mask),
        choices_(choices),
        kernels_(reference_kernels()) {}

  [[nodiscard]] const Network& network() const { return network_; }
  [[nodiscard]] const TensorMap& parameters() const { return parameters_; }
  [[nodiscard]] const ReferenceOptions& options() const { return options_; }
  [[nodiscard]] const ReferenceKernels& kernels() const { return kernels_; }
  [[nodiscard]] const ReferenceFunctions& functions() const { return functions_; }
  [[nodiscard]] BlockChoices* choices() const { return choices_; }
  /// What is added to the scores of the tokens of a batch element; nullptr: there is no mask.
  [[nodiscard]] const u16* mask(u64 element) const {
    return mask_ == nullptr || mask_->data.empty() ? nullptr : mask_->data.data() + element * network_.tokens;
  }

  /// The sums of tokens and positions as the first layer takes them.
  [[nodiscard]] HalfPanels embedded(HalfPanels x) const;
  /// Tokens of patches, with their positions.
  [[nodiscard]] HalfPanels of_patches(const HalfPanels& patches) const;
  [[nodiscard]] HalfPanels layer(const HalfPanels& x, u64 index) const;
  /// @param share  x is that share of what is to be normalised, and so is what epsilon is added to
  [[nodiscard]] HalfPanels norm(const HalfPanels& x, const std::string& name, double share = 1) const;
  /// What inputs of a layer in normal form count more than they are, and by which its results count less.
  struct Owed {
    double by_input = 1, by_result = 1;
  };
  /// A linear layer with its bias.
  [[nodiscard]] HalfPanels linear(const HalfPanels& x, LinearKind kind, const std::string& name, u64 outputs,
                                  const Owed& owed = {1, 1}) const;
  /// [batch, classes]
  [[nodiscard]] std::vector<u16> logits(const HalfPanels& x) const;

 private:
  [[nodiscard]] HalfPanels first(const HalfPanels& x) const;
  [[nodiscard]] HalfPanels mean(const HalfPanels& x) const;
  [[nodiscard]] HalfPanels feed_forward(const HalfPanels& x, const HalfPanels& residual, const EncoderLayer& layer,
                                        const std::string& name) const;
  void activate(std::size_t rows, u16* values) const;
  [[nodiscard]] bool in_normal_form(LinearKind kind) const {
    return kind == LinearKind::butterfly && options_.normalised;
  }
  [[nodiscard]] HalfPanels dense(const HalfPanels& x, const std::string& name, u64 outputs) const;
  template <class Compute>
  [[nodiscard]] HalfPanels in_stacks(const HalfPanels& x, u64 n, u64 outputs, const Compute& compute) const;
  [[nodiscard]] HalfPanels butterfly(const HalfPanels& x, const std::string& name, u64 outputs) const;
  [[nodiscard]] HalfPanels normal_butterfly(const HalfPanels& x, const std::string& name, u64 outputs,
                                            const Owed& owed) const;

  const Network& network_;
  const TensorMap& parameters_;
  const ReferenceOptions& options_;
  const Tensor* mask_;     // may be null
  BlockChoices* choices_;  // may be null
  const ReferenceKernels& kernels_;
  ReferenceFunctions functions_;
};

/// mix(x) + residual for the layer with this index. The file NAME/reference.cpp of platform/operators defines it as
/// `MixedHalves NAME(const HalfEvaluation&, const HalfPanels& x, const HalfPanels& residual, u64 layer)` in the
/// namespace bvp::half_references.
[[nodiscard]] MixedHalves mix_halves(const HalfEvaluation& evaluation, const HalfPanels& x, const HalfPanels& residual,
                                     u64 layer);

}  // namespace bvp
