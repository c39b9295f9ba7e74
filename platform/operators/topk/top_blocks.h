// SPDX-License-Identifier: Apache-2.0
// How many blocks of keys are chosen.
#pragma once

#include "platform/network/mixing.h"

namespace bvp {

/// Blocks of keys that a block of queries may choose.
inline constexpr u64 most_top_blocks = 256;

inline u64 top_blocks(const EncoderLayer& layer) { return mixing_number(layer, "top_blocks"); }

}  // namespace bvp
