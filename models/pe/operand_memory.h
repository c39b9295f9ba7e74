// SPDX-License-Identifier: Apache-2.0
// Operand memory and accumulators of one PE.
#pragma once

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "models/base/types.h"

namespace bvp {

/// fp16 vectors as bit patterns. Vectors lie `pitch` words apart so that host SIMD may touch whole blocks of
/// 16; the words behind the last lane are never seen by the simulated machine.
class OperandMemory {
 public:
  OperandMemory(u32 vectors, u32 accumulators, u32 lanes)
      : vectors_(vectors),
        lanes_(lanes),
        pitch_((lanes + 15) / 16 * 16),
        words_(zeros<u16>(std::size_t{vectors} * pitch_)),
        sums_(zeros<float>(std::size_t{accumulators} * pitch_)) {}

  [[nodiscard]] u32 vectors() const { return vectors_; }
  [[nodiscard]] u32 lanes() const { return lanes_; }
  [[nodiscard]] u32 pitch() const { return pitch_; }
  [[nodiscard]] u16* vector(i64 index) { return words_.get() + index * pitch_; }
  [[nodiscard]] const u16* vector(i64 index) const { return words_.get() + index * pitch_; }
  /// A vector to and from pitch() words elsewhere.
  void read(i64 index, u16* to) const { copy(vector(index), to); }
  void write(i64 index, const u16* from) { copy(from, vector(index)); }
  [[nodiscard]] u16 scalar(i64 index) const {
    return words_[static_cast<std::size_t>(index / lanes_ * pitch_ + index % lanes_)];
  }
  [[nodiscard]] float* accumulator(i64 index) { return sums_.get() + index * pitch_; }

 private:
  /// Copies in blocks of a length that the compiler knows: a call would take longer than the copy.
  void copy(const u16* from, u16* to) const {
    constexpr u32 block = 16;
    for (u32 word = 0; word < pitch_; word += block) std::memcpy(to + word, from + word, block * sizeof(u16));
  }

  /// The buffer is aligned, so that a vector does not lie across two cache lines of the host.
  template <class T>
  static hwy::AlignedFreeUniquePtr<T[]> zeros(std::size_t count) {
    auto memory = hwy::AllocateAligned<T>(count);
    if (!memory) throw std::bad_alloc();
    std::fill_n(memory.get(), count, T{});
    return memory;
  }

  u32 vectors_, lanes_, pitch_;
  hwy::AlignedFreeUniquePtr<u16[]> words_;
  hwy::AlignedFreeUniquePtr<float[]> sums_;
};

}  // namespace bvp
