// SPDX-License-Identifier: Apache-2.0
// Columns of a tile in and out, vectorised on the host.
#pragma once

#include "models/common/types.h"

namespace bvp {

/// `count` neighbouring columns of a tile of `lanes` rows of 2 * lanes bytes: word i of vector c is the word at
/// first + i * 2 * lanes + 2 * c. Vectors lie one behind the other.
void gather_columns(const u8* first, u32 lanes, u32 count, u8* vectors);
void scatter_columns(u8* first, u32 lanes, u32 count, const u8* vectors);

}  // namespace bvp
