// SPDX-License-Identifier: Apache-2.0
// Random numbers that are the same on every host. The standard library does not fix the algorithms of its
// distributions.
#pragma once

#include <array>
#include <string_view>

#include "models/base/types.h"

namespace bvp {

/// xoshiro256** (Blackman and Vigna), seeded by splitmix64 over the seed and a name.
class Random {
 public:
  Random(u64 seed, std::string_view stream) {
    u64 state = 0xcbf29ce484222325ULL;  // FNV-1a of the name
    for (const char c : stream) state = (state ^ static_cast<u8>(c)) * 0x100000001b3ULL;
    state ^= split_mix(seed);
    for (u64& word : state_) word = split_mix(state);
  }

  u64 bits() {
    const u64 result = rotate(state_[1] * 5, 7) * 9;
    const u64 shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  /// In [0, 1).
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

  /// Mean 0, variance 1: the sum of eight uniform numbers of 16 bits. It needs no logarithm or cosine, whose last bit
  /// depends on the host's library.
  double normal() {
    u64 sum = 0;
    for (int draw = 0; draw < 2; ++draw) {
      const u64 word = bits();
      sum += (word & 0xffff) + ((word >> 16) & 0xffff) + ((word >> 32) & 0xffff) + (word >> 48);
    }
    constexpr double mean = 8 * 65535 / 2.0;
    constexpr double inverse_deviation = 1.8688123647942946e-5;  // 1 / (65536 * sqrt(8 / 12))
    return (static_cast<double>(sum) - mean) * inverse_deviation;
  }

 private:
  static u64 rotate(u64 value, int by) { return (value << by) | (value >> (64 - by)); }
  static u64 split_mix(u64& state) {
    u64 z = state += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  std::array<u64, 4> state_{};
};

}  // namespace bvp
