// SPDX-License-Identifier: Apache-2.0
// Collects what is wrong with a scenario, so that all of it is reported at once.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "platform/support/input_error.h"

namespace bvp {

/// "WHERE: KEY: WHAT"; `where` may name the key already.
[[nodiscard]] std::string problem_text(const std::string& where, const std::string& key, const std::string& what);

class Problems {
 public:
  template <class... Args>
  void add(const std::string& where, const std::string& key, fmt::format_string<Args...> format, Args&&... args) {
    constexpr std::size_t limit = 50;
    if (texts_.size() == limit) texts_.push_back("further problems are not shown");
    if (texts_.size() > limit) return;
    texts_.push_back(problem_text(where, key, fmt::format(format, std::forward<Args>(args)...)));
    keys_.insert(key);
  }
  /// Whether a problem is about `key` or a key below it.
  [[nodiscard]] bool concern(const std::string& key) const {
    const std::string below = key + ".";
    const auto next = keys_.lower_bound(below);
    return keys_.count(key) != 0 || (next != keys_.end() && next->compare(0, below.size(), below) == 0);
  }
  /// Whether a problem is about `key` itself.
  [[nodiscard]] bool name(const std::string& key) const { return keys_.count(key) != 0; }
  [[nodiscard]] bool none() const { return texts_.empty(); }
  /// @throws InputError  with all problems, if there are any
  void report() const {
    if (!none()) throw InputError(fmt::format("{}", fmt::join(texts_, "\n")));
  }

 private:
  std::vector<std::string> texts_;
  std::set<std::string> keys_;
};

}  // namespace bvp
