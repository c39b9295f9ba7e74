// SPDX-License-Identifier: Apache-2.0
// What a mixing of tokens is, apart from how it is computed. A folder of platform/operators is a mixing, and its name
// is the word in a scenario: the file NAME/declaration.cpp defines `MixingDeclaration NAME()` in the namespace
// bvp::mixings.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "platform/network/attention_pattern.h"
#include "platform/network/network.h"
#include "platform/network/weights.h"

namespace bvp {

/// A key that a layer has beside `mixing`. A key of several mixings has the same declaration in all of them.
struct MixingParameter {
  std::string name;
  ParamValue initial;
  std::string unit;         ///< of a number
  ParamRange range{};       ///< of a number
  std::string description;  ///< begins with the mixings that have the key: "Of window: ..."
  std::string source = "workload";
  Confidence confidence = Confidence::high;
  std::vector<std::string> choices{};  ///< of a text; empty: any
};

struct MixingDeclaration {
  unsigned place = 0;    ///< words and parameters come before those of a mixing with a larger place
  std::string computes;  ///< what the mixing computes of the tokens, as a noun: "softmax attention"
  bool attends = false;  ///< there are heads, and the matrices of `add_projections`
  bool masked = false;   ///< it leaves out the tokens that the padding mask says
  std::vector<MixingParameter> parameters{};
  /// Adds the tensors of a layer. @param layer_name  "layers.3"; null: there are none
  void (*add_tensors)(std::vector<TensorSpec>& specs, const std::string& layer_name, const Network& network,
                      const EncoderLayer& layer) = nullptr;
  /// What is wrong with a layer in this network, as "KEY: found ..., expected ..."; empty: nothing. Null: nothing ever
  /// is.
  std::string (*problem)(const Network& network, const EncoderLayer& layer) = nullptr;
  /// Which keys each query sees, of attention with a pattern that is known beforehand; otherwise null.
  std::shared_ptr<const AttentionPattern> (*pattern)(const EncoderLayer& layer, u64 tokens) = nullptr;
};

[[nodiscard]] const MixingDeclaration& declaration_of(Mixing mixing);
[[nodiscard]] const char* name_of(Mixing mixing);
/// All of them, by place.
[[nodiscard]] const std::vector<Mixing>& all_mixings();
/// @throws std::invalid_argument  there is none of this name
[[nodiscard]] Mixing mixing_of(const std::string& name);

/// The value of a parameter of the layer's mixing, or its default. @throws std::invalid_argument  it declares none
[[nodiscard]] const ParamValue& mixing_value(const EncoderLayer& layer, const std::string& parameter);
[[nodiscard]] u64 mixing_number(const EncoderLayer& layer, const std::string& parameter);
[[nodiscard]] const std::string& mixing_text(const EncoderLayer& layer, const std::string& parameter);

/// The pattern of a layer whose mixing has one. @throws std::invalid_argument  it has none
[[nodiscard]] std::shared_ptr<const AttentionPattern> pattern_of(const EncoderLayer& layer, u64 tokens);

/// Query, key, value and output of attention, of the kind that the layer says.
void add_projections(std::vector<TensorSpec>& specs, const std::string& layer_name, const Network& network,
                     const EncoderLayer& layer);

}  // namespace bvp
