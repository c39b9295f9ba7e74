// SPDX-License-Identifier: Apache-2.0
// One execution of a segment, as a value: made once when its tokens are taken, and handed on.
#pragma once

#include <algorithm>

#include "models/base/types.h"
#include "models/pe/context/addresses.h"
#include "models/pe/wait.h"

namespace bvp {

struct Firing {
  u32 segment = 0;
  Unit unit = Unit::load;
  u8 tag = 0;  ///< of the segment
  Cycle now = 0;
  u64 launch = 0;                  ///< its number, counted since the kernel became active
  Iteration iteration{};           ///< of the levels 0 to scope - 1
  StreamBases bases{};             ///< where its streams point to on the PE whose program runs
  StreamBases distance{};          ///< how far that is from the first bases; the same for all PEs of the kernel
  u32 tokens = 0;                  ///< that it has taken
  u8 produces = 0;                 ///< edges of this scope and of inner ones get a token when it ends
  bool last_of_launch = false;     ///< of its segment
  Wait waited_for = Wait::launch;  ///< the unit, until now

  /// Whether this is the first firing of its segment in the launch.
  [[nodiscard]] bool first_of_launch() const {
    return std::all_of(iteration.begin(), iteration.end(), [](u32 i) { return i == 0; });
  }
};

}  // namespace bvp
