// SPDX-License-Identifier: Apache-2.0
// Whether a command, or the kernel image that it names, is one that the sequencer can carry out.
#pragma once

#include <optional>

#include "models/abi/image_header.h"
#include "models/abi/records.h"
#include "models/sequencer/sequencer_errors.h"

namespace bvp {

struct CommandFault {
  SequencerError error;
  u64 info;  ///< what the error's description names
};

struct CommandLimits {
  u32 channels;         ///< of the DMA
  u64 max_image_bytes;  ///< of a kernel image
};

/// The first fault of the command, in the order of the fields that are looked at; nothing: it has none.
[[nodiscard]] std::optional<CommandFault> check_command(const Command& command, const CommandLimits& limits);

/// The array that images are compiled for.
struct ArrayShape {
  u32 rows, columns, lanes;
};

/// The first fault of an image's header; nothing: it has none.
/// @param bytes  of the image, as the command says
[[nodiscard]] std::optional<CommandFault> check_image(const ImageHeader& header, u32 bytes, const ArrayShape& array);

}  // namespace bvp
