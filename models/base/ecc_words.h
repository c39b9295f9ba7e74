// SPDX-License-Identifier: Apache-2.0
// Which bits of a memory with a SECDED code are wrong. Every 64 bits of data have 8 check bits, as in a (72, 64) code
// of Hsiao: one wrong bit of the 72 is corrected, two are detected.
#pragma once

#include <map>

#include "models/base/types.h"

namespace bvp {

/// Only words with wrong bits are kept; the memory itself holds the data as they were written. Three wrong bits of a
/// word count as detected, as two do: a real code takes some of these words for others that are right.
class EccWords {
 public:
  static constexpr u64 word_bytes = 8;

  struct Found {
    u64 corrected = 0, detected = 0;  ///< words
  };

  [[nodiscard]] bool empty() const { return wrong_.empty(); }
  /// Whether a word cannot be corrected.
  [[nodiscard]] bool has_uncorrectable() const {
    for (const auto& [word, bits] : wrong_) {
      if (is_uncorrectable(bits)) return true;
    }
    return false;
  }
  /// Turns a bit of the byte over. @param bit  0 to 7
  void flip(u64 byte, u32 bit) {
    u64& bits = wrong_[byte / word_bytes];
    bits ^= u64{1} << (byte % word_bytes * 8 + bit);
    if (bits == 0) wrong_.erase(byte / word_bytes);
  }
  /// What the code finds when these bytes are read. Corrected words are written back, so that they are right from then
  /// on.
  Found read(u64 first, u64 bytes) {
    Found found;
    if (bytes == 0) return found;
    const u64 last = (first + bytes - 1) / word_bytes;
    for (auto word = wrong_.lower_bound(first / word_bytes); word != wrong_.end() && word->first <= last;) {
      const bool lost = is_uncorrectable(word->second);
      ++(lost ? found.detected : found.corrected);
      word = lost ? std::next(word) : wrong_.erase(word);
    }
    return found;
  }
  /// What the code finds when these bytes are written: words that are written in part are read before.
  Found write(u64 first, u64 bytes) {
    Found found;
    if (bytes == 0) return found;
    const u64 end = first + bytes;
    for (auto word = wrong_.lower_bound(first / word_bytes); word != wrong_.end() && word->first * word_bytes < end;) {
      const u64 begin = word->first * word_bytes;
      const bool whole = begin >= first && begin + word_bytes <= end;
      const bool lost = !whole && is_uncorrectable(word->second);
      if (!whole) ++(lost ? found.detected : found.corrected);
      word = lost ? std::next(word) : wrong_.erase(word);
    }
    return found;
  }

 private:
  [[nodiscard]] static bool is_uncorrectable(u64 bits) { return (bits & (bits - 1)) != 0; }

  std::map<u64, u64> wrong_;  // by number of the word: its wrong bits
};

}  // namespace bvp
