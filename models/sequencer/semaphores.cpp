// SPDX-License-Identifier: Apache-2.0
#include "models/sequencer/semaphores.h"

namespace bvp {

bool Semaphores::set(u32 semaphore, u32 tokens) {
  if (tokens > most_) return false;
  tokens_[semaphore] = tokens;
  return true;
}

bool Semaphores::signal(u32 semaphore) {
  if (tokens_[semaphore] >= most_) return false;
  ++tokens_[semaphore];
  return true;
}

bool Semaphores::acquire(const Command& command, LastingState& blocked, Cycle now) {
  const auto [first, second] = command.wait;
  const auto available = [&](u8 semaphore, u32 tokens) {
    return semaphore == semaphore_none || tokens_[semaphore] >= tokens;
  };
  if (!available(first, first == second ? 2 : 1) || !available(second, 1)) {
    blocked.begin(now);
    return false;
  }
  blocked.end(waited_, now);
  for (const u8 semaphore : command.wait) {
    if (semaphore != semaphore_none) --tokens_[semaphore];
  }
  return true;
}

}  // namespace bvp
