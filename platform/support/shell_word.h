// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace bvp {

/// A word as a POSIX shell takes it: in quotes, where it needs them.
[[nodiscard]] std::string shell_word(const std::string& word);

}  // namespace bvp
