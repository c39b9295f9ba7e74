// SPDX-License-Identifier: Apache-2.0
// Text of unknown origin in messages.
#pragma once

#include <string>
#include <string_view>

namespace bvp {

/// Text as it may appear in a message: short, and '?' for control characters (C1 too) and bytes that are not UTF-8.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace bvp
