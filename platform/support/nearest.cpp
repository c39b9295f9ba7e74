// SPDX-License-Identifier: Apache-2.0
#include "platform/support/nearest.h"

#include <algorithm>

namespace bvp {
namespace {

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const std::size_t replace = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::string nearest_word(const std::string& word, const std::vector<std::string>& candidates) {
  // The table grows with the square of the length, and nobody mistypes a word as long as this.
  constexpr std::size_t longest = 64;
  std::string best;
  if (word.size() > longest) return best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 2) + 1;
  for (const std::string& candidate : candidates) {
    // A word that is the beginning of the other one is near as well: lane, lanes_per_pe.
    const bool prefix =
        word.size() > 2 && candidate.size() > 2 &&
        (candidate.compare(0, word.size(), word) == 0 || word.compare(0, candidate.size(), candidate) == 0);
    const std::size_t distance = prefix ? 1 : edit_distance(word, candidate);
    if (distance < best_distance && distance < candidate.size()) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace bvp
