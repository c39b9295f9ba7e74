// SPDX-License-Identifier: Apache-2.0
// Which blocks of keys a block of queries sees.
#pragma once

#include <string>
#include <vector>

#include "models/base/types.h"

namespace bvp {

/// The blocks of keys that a block of queries sees in the butterfly pattern: those whose number differs in at most one
/// bit, of `blocks` blocks.
[[nodiscard]] std::vector<u32> butterfly_blocks(u64 query_block, u64 blocks);

/// The word for the butterfly pattern, where a list of blocks could stand.
inline constexpr const char* butterfly_pattern = "butterfly";

/// Reads the blocks of keys of each block of queries: "0, 0-1, 1 3" has three blocks of queries. Empty: the text is no
/// such list.
[[nodiscard]] std::vector<std::vector<u32>> parse_key_blocks(const std::string& text);

}  // namespace bvp
