// SPDX-License-Identifier: Apache-2.0
// The other end of the UART during a run.
#pragma once

#include "platform/hosted/character_source.h"
#include "platform/soc/soc.h"

namespace bvp {

/// Connects what the UART receives, if there is something. Call it before the simulation.
void connect_input(Soc& soc, CharacterSource* source);

/// To be called when nothing can happen in the SoC any more (`Soc::idle()`): waits a little for a character that
/// interrupts the CPU. Returns false if there will be none.
[[nodiscard]] bool await_input(Soc& soc, CharacterSource* source);

}  // namespace bvp
