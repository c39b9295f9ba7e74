// SPDX-License-Identifier: Apache-2.0
// How a task is cut into tiles.
#pragma once

#include <array>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "models/base/types.h"

namespace bvp {

/// Number of tiles per level (innermost first), rows of a full tile and of the last one.
struct Tiling {
  std::array<u32, 3> tiles{1, 1, 1};
  u32 rows = 0, tail_rows = 0;
  bool packed = false;
};

/// What a decision follows from, as numbers: work with equal shapes is decided once. Names, places in DRAM and values
/// of weights are not part of a shape.
class Shape {
 public:
  /// @param kind  of the decision, so that those of different kinds do not meet
  explicit Shape(const char* kind) {
    for (const char* at = kind; *at != '\0'; ++at) words_.push_back(static_cast<u64>(*at));
  }
  template <class... Numbers>
  Shape& add(Numbers... numbers) {
    (words_.push_back(static_cast<u64>(numbers)), ...);
    return *this;
  }
  template <class Number>
  Shape& add_list(const std::vector<Number>& numbers) {
    add(numbers.size());
    for (const Number number : numbers) add(number);
    return *this;
  }
  template <class T>
  Shape& add_if(const std::optional<T>& number) {
    return number ? add(1, *number) : add(0);
  }
  friend bool operator<(const Shape& a, const Shape& b) { return a.words_ < b.words_; }

 private:
  std::vector<u64> words_;
};

}  // namespace bvp
