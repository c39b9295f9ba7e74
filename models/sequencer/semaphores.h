// SPDX-License-Identifier: Apache-2.0
// The semaphores by which commands of different units wait for each other.
#pragma once

#include <array>

#include "models/abi/records.h"
#include "models/base/statistics.h"

namespace bvp {

/// Commands name semaphores below semaphore_count, or semaphore_none.
class Semaphores {
 public:
  /// @param most    tokens that one holds
  /// @param waited  counts the cycles that commands wait for tokens
  Semaphores(u32 most, Counter& waited) : most_(most), waited_(waited) {}

  [[nodiscard]] u32 tokens(u32 semaphore) const { return tokens_[semaphore]; }
  /// False, and nothing has changed: a semaphore does not hold so many.
  [[nodiscard]] bool set(u32 semaphore, u32 tokens);
  /// Adds a token; false, and nothing has changed: there is no room for one.
  [[nodiscard]] bool signal(u32 semaphore);
  /// Takes the command's tokens if they are all there: two of a semaphore that it names twice. Otherwise nothing has
  /// changed, and `blocked` lasts from now on until it is called with success.
  [[nodiscard]] bool acquire(const Command& command, LastingState& blocked, Cycle now);
  void clear() { tokens_.fill(0); }

 private:
  const u32 most_;
  Counter& waited_;
  std::array<u32, semaphore_count> tokens_{};
};

}  // namespace bvp
