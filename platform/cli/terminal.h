// SPDX-License-Identifier: Apache-2.0
// Properties of the terminal behind the standard streams.
#pragma once

#include <cstddef>

namespace bvp {

/// If the stream is a terminal, its present width; otherwise the value of COLUMNS, or else 80. At least 1.
[[nodiscard]] std::size_t terminal_width(int descriptor);

/// Whether the stream is a terminal on which a line can be erased and rewritten: TERM is set and is not "dumb".
[[nodiscard]] bool can_rewrite_lines(int descriptor);

}  // namespace bvp
