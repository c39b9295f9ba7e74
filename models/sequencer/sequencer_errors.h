// SPDX-License-Identifier: Apache-2.0
// The values of ERROR_CODE. The firmware header and the table in docs/ are made from this list.
#pragma once

#include "models/base/types.h"

namespace bvp {

// X(name, value, description); the description also says what ERROR_INFO holds
#define BVP_SEQUENCER_ERRORS(X)                                                                                      \
  X(none, 0, "no error")                                                                                             \
  X(bad_opcode, 1, "a command's opcode is unknown; info: the opcode")                                                \
  X(reserved_not_zero, 2, "a reserved field or bit of a command is not 0; info: its byte offset in the command")     \
  X(bad_semaphore, 3, "a command names a semaphore that does not exist; info: the byte offset in the command")       \
  X(bad_channel, 4, "a DMA command names a channel that does not exist; info: the channel")                          \
  X(bad_count, 5, "an instance count of a launch is 0; info: the byte offset in the command")                        \
  X(bad_image_size, 6, "the image of a launch is smaller than its header or larger than allowed; info: its bytes")   \
  X(not_resident, 7, "a launch keeps resident weights of an image that the launch before did not use; info: image")  \
  X(fetch_failed, 8, "bus error on reading the command ring; info: the address")                                     \
  X(image_fetch_failed, 9, "bus error on reading a kernel image; info: the address")                                 \
  X(bad_image, 10, "a field of the image's header is wrong; info: its byte offset in the image")                     \
  X(image_mismatch, 11, "the image was compiled for another array; info: byte offset of the header's field")         \
  X(configure_refused, 12, "a PE refused the image, which it cannot decode or hold; info: the PE")                   \
  X(launch_refused, 13, "a PE refused a launch; info: the PE")                                                       \
  X(kernel_failed, 14, "a PE reported a failure while it ran; info: the PE, bits 63..32: its status")                \
  X(dma_refused, 15, "the DMA did not take a descriptor; info: the channel")                                         \
  X(dma_failed, 16, "a DMA transfer failed; info: the channel, bits 63..32: its status")                             \
  X(semaphore_overflow, 17, "a semaphore would exceed 65535; info: the semaphore")                                   \
  X(bad_doorbell, 18, "TAIL was written with an index outside of the ring; info: the value")                         \
  X(bad_ring, 19, "RING_BASE is not a multiple of 64, or RING_ENTRIES no power of two from 2 to 65536; info: value") \
  X(ring_in_use, 20, "RING_BASE or RING_ENTRIES was written while commands are being fetched; info: the value")      \
  X(dma_timeout, 21, "a DMA transfer took longer than DMA_LIMIT and was aborted; info: the channel")                 \
  X(launch_timeout, 22, "a launch took longer than LAUNCH_LIMIT and was stopped; info: the first PE not done")       \
  X(aborted, 23, "ABORT has stopped a command; info: its unit as in UNIT_COMPLETED")                                 \
  X(image_corrupt, 24, "the check sum of a kernel image is wrong; info: that of what has arrived")                   \
  X(command_corrupt, 25, "the check word of a command is wrong; info: the XOR of the command's words")               \
  X(bad_row_disable, 26, "ROW_DISABLE was written at work, or leaves no row, or has one too many; info: the value")

#define BVP_DECLARE_SEQUENCER_ERROR(name, value, description) name = value,
enum class SequencerError : u32 { BVP_SEQUENCER_ERRORS(BVP_DECLARE_SEQUENCER_ERROR) };
#undef BVP_DECLARE_SEQUENCER_ERROR

/// The description out of the list; "unknown error" for other values.
[[nodiscard]] const char* describe(SequencerError error);

}  // namespace bvp
