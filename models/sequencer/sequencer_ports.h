// SPDX-License-Identifier: Apache-2.0
// The outside of the sequencer, as its machines see it.
#pragma once

#include <limits>
#include <optional>

#include "models/abi/dma_status.h"
#include "models/abi/records.h"
#include "models/base/types.h"

namespace bvp {

/// A machine answers this value when it will not change by itself.
inline constexpr Cycle never = std::numeric_limits<Cycle>::max();

/// The sequencer implements this with its sockets. Each call takes place at the present. A call that is refused has
/// changed nothing. A target may send a completion before the call returns.
class SequencerPorts {
 public:
  virtual ~SequencerPorts() = default;
  /// Reads from the bus. Returns the cycle in which the data arrive (`data` holds them at once); nullopt on a bus
  /// error.
  [[nodiscard]] virtual std::optional<Cycle> read_memory(u64 address, void* data, u32 bytes) = 0;
  /// Sends a descriptor to a channel of the DMA engine. Returns false if it was refused.
  [[nodiscard]] virtual bool start_transfer(u32 channel, DmaDescriptor descriptor) = 0;
  /// The same for an indexed transfer.
  [[nodiscard]] virtual bool start_transfer(u32 channel, IndexedDescriptor descriptor) = 0;
  /// Aborts the transfer of a channel: the completion follows when what is in flight is done. Returns false if no
  /// transfer runs there.
  virtual bool abort_transfer(u32 channel) = 0;
  /// The bus address at which the last transfer of the channel has failed.
  [[nodiscard]] virtual u64 transfer_address(u32 channel) = 0;
  /// Writes to an address of models/isa/launch.h on the PE's configuration plane. Returns false if it was refused.
  /// @param pe  y * columns + x
  virtual bool write_pe(u32 pe, u64 address, void* data, u32 bytes) = 0;
};

}  // namespace bvp
