// SPDX-License-Identifier: Apache-2.0
// The status words and messages between the sequencer and the DMA engine. The descriptors are in records.h.
#pragma once

#include "models/abi/records.h"
#include "models/base/types.h"

namespace bvp {

#define BVP_DMA_STATUS(X)                                                                     \
  X(ok, 0, "transfer complete")                                                               \
  X(bad_descriptor, 1, "descriptor invalid: a zero count, too large, overlap, reserved bits") \
  X(source_error, 2, "the bus answered a read with an error")                                 \
  X(destination_error, 3, "the bus answered a write with an error")                           \
  X(aborted, 4, "the transfer was aborted")                                                   \
  X(bad_index, 5, "an index of an indexed transfer is not below its bound")

#define BVP_DECLARE_DMA_STATUS(name, value, description) name = value,
enum class DmaStatus : u32 { BVP_DMA_STATUS(BVP_DECLARE_DMA_STATUS) };

/// The most bytes one descriptor may move.
inline constexpr u64 dma_max_transfer_bytes = u64{1} << 32;

/// Layout of a channel's window on the descriptor socket.
inline constexpr u64 dma_channel_stride = 0x100;
inline constexpr u64 dma_status_offset = 0x40;
inline constexpr u64 dma_abort_offset = 0x44;
inline constexpr u64 dma_error_address_offset = 0x48;
inline constexpr u32 dma_status_busy = 0x80000000;

/// Where the indices of an indexed transfer are: u32 numbers, as many as the outermost dimension has repetitions.
struct DmaIndices {
  u64 address = 0;  ///< a multiple of 4
  u32 bound = 0;    ///< each index is below it
  u32 reserved = 0;
};

/// What is written to a channel to start an indexed transfer; others are started with the descriptor alone.
struct IndexedDescriptor {
  DmaDescriptor descriptor{};
  DmaIndices indices;
};
static_assert(sizeof(IndexedDescriptor) == 80);

/// DMA channel i writes this record at address i * sizeof(DmaCompletion) when a transfer has ended.
struct DmaCompletion {
  u32 status = 0;  ///< a DmaStatus
  u32 reserved = 0;
};
static_assert(sizeof(DmaCompletion) == 8);

}  // namespace bvp
