// SPDX-License-Identifier: Apache-2.0
// What the standard streams lead to.
#pragma once

#include <cstddef>

namespace bvp {

/// Of a stream that is a terminal the width that it has now; otherwise what COLUMNS says, or else 80. At least 1.
[[nodiscard]] std::size_t terminal_width(int descriptor);

/// A terminal on which a line can be erased and written again: TERM says which one it is, and not "dumb".
[[nodiscard]] bool can_rewrite_lines(int descriptor);

}  // namespace bvp
