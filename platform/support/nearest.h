// SPDX-License-Identifier: Apache-2.0
// Finds the word for "Did you mean ...?".
#pragma once

#include <string>
#include <vector>

namespace bvp {

/// The candidate with the fewest insertions, deletions, replacements and swaps of neighbours; empty if none is near.
std::string nearest_word(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace bvp
