// SPDX-License-Identifier: Apache-2.0
// The order of a decimation-in-time FFT's inputs.
#pragma once

#include <cstddef>

namespace bvp {

inline std::size_t bit_reversed(std::size_t index, unsigned bits) {
  std::size_t reversed = 0;
  for (unsigned bit = 0; bit < bits; ++bit) reversed |= ((index >> bit) & 1) << (bits - 1 - bit);
  return reversed;
}

}  // namespace bvp
