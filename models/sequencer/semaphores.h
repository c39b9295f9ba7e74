// SPDX-License-Identifier: Apache-2.0
// The semaphores through which commands of different units wait for each other.
#pragma once

#include <array>

#include "models/abi/records.h"
#include "models/base/statistics.h"

namespace bvp {

/// A command names semaphores below semaphore_count, or semaphore_none.
class Semaphores {
 public:
  /// @param most    the greatest number of tokens that one semaphore holds
  Semaphores(u32 most, Counter& waited) : most_(most), waited_(waited) {}

  [[nodiscard]] u32 tokens(u32 semaphore) const { return tokens_[semaphore]; }
  /// Sets the tokens of a semaphore. Returns false and changes nothing if a semaphore does not hold so many.
  [[nodiscard]] bool set(u32 semaphore, u32 tokens);
  /// Adds a token. Returns false and changes nothing if there is no room.
  [[nodiscard]] bool signal(u32 semaphore);
  /// Takes the command's tokens if all of them are there; a semaphore that the command names twice must have two.
  /// Otherwise nothing changes, and `blocked` lasts from now until a later call succeeds.
  [[nodiscard]] bool acquire(const Command& command, LastingState& blocked, Cycle now);
  void clear() { tokens_.fill(0); }

 private:
  const u32 most_;
  Counter& waited_;
  std::array<u32, semaphore_count> tokens_{};
};

}  // namespace bvp
