// SPDX-License-Identifier: Apache-2.0
// What the machines of the sequencer reach outside of it.
#pragma once

#include <limits>
#include <optional>

#include "models/abi/records.h"
#include "models/base/types.h"

namespace bvp {

/// The answer of a machine that will not change by itself to when it changes.
inline constexpr Cycle never = std::numeric_limits<Cycle>::max();

/// The sequencer implements it with its sockets. Each call takes place at the present; one that is refused has changed
/// nothing. A target may answer with a completion before the call returns.
class SequencerPorts {
 public:
  virtual ~SequencerPorts() = default;
  /// Reads from the bus. Returns the cycle in which the data arrive, which `data` has already; nothing on a bus error.
  [[nodiscard]] virtual std::optional<Cycle> read_memory(u64 address, void* data, u32 bytes) = 0;
  /// Gives the channel of the DMA a descriptor; false: it was refused.
  [[nodiscard]] virtual bool start_transfer(u32 channel, DmaDescriptor descriptor) = 0;
  /// Writes to an address of models/isa/launch.h on the PE's configuration plane; false: it was refused.
  /// @param pe  y * columns + x
  virtual bool write_pe(u32 pe, u64 address, void* data, u32 bytes) = 0;
};

}  // namespace bvp
