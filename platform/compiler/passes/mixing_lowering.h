// SPDX-License-Identifier: Apache-2.0
// How a mixing of tokens becomes tasks. The file NAME/lowering.cpp of platform/operators defines
// `MixingLoweringEntry NAME()` in the namespace bvp::lowerings.
#pragma once

#include <memory>

#include "platform/compiler/passes/encoder_draft.h"

namespace bvp {

/// The mixed tokens with their residual.
struct MixedTokens {
  RowProgram::Value value = 0;
  double share = 1;  ///< they are that share of what a layer norm behind them is to normalise
};

/// Lowers all layers of a network that have this mixing, one after the other.
class MixingLowering {
 public:
  MixingLowering() = default;
  virtual ~MixingLowering() = default;
  MixingLowering(const MixingLowering&) = delete;
  MixingLowering& operator=(const MixingLowering&) = delete;

  /// Adds what computes mix(x) + residual in the draft's current layer. The residual is the draft's own x; where norms
  /// follow sums, the two are the same. Values of the program end where it is flushed.
  /// @throws CompileError  it does not fit the machine
  virtual MixedTokens lower(RowProgram::Value x) = 0;
};

struct MixingLoweringEntry {
  /// The draft outlives the lowering.
  std::unique_ptr<MixingLowering> (*make)(EncoderDraft& draft) = nullptr;
  /// The layout in which the mixing takes its tokens from the scratchpad, where they stay between layers; null: it
  /// takes them from DRAM.
  PanelLayout (*token_layout)(const CompilerTarget& target, const Network& network) = nullptr;
  /// Whether they may stay there; given where token_layout is.
  bool (*tokens_may_stay)(const CompilerTarget& target, const Network& network) = nullptr;
};

[[nodiscard]] const MixingLoweringEntry& lowering_entry_of(Mixing mixing);

}  // namespace bvp
