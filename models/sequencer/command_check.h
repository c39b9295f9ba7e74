// SPDX-License-Identifier: Apache-2.0
// Checks whether the sequencer can carry out a command, and the kernel image that it names.
#pragma once

#include <optional>

#include "models/abi/image_header.h"
#include "models/abi/records.h"
#include "models/base/machine_shape.h"
#include "models/sequencer/sequencer_errors.h"

namespace bvp {

struct CommandFault {
  SequencerError error;
  u64 info;  ///< the value that the error's description names
};

struct CommandLimits {
  u32 channels;         ///< of the DMA
  u64 max_image_bytes;  ///< of a kernel image
};

/// The first fault of the command, in the order in which the fields are checked; nullopt if it has none.
[[nodiscard]] std::optional<CommandFault> check_command(const Command& command, const CommandLimits& limits);

/// The first fault of an image's header, which must have been made for this array; nullopt if it has none.
/// @param bytes  length of the image according to the command
[[nodiscard]] std::optional<CommandFault> check_image(const ImageHeader& header, u32 bytes, const ArrayShape& array);

}  // namespace bvp
