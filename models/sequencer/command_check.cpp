// SPDX-License-Identifier: Apache-2.0
#include "models/sequencer/command_check.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <functional>
#include <numeric>

namespace bvp {
namespace {

using Fault = std::optional<CommandFault>;

constexpr u8 other_flags = command_flag_interrupt | command_flag_checked;
constexpr u8 launch_flags = other_flags | command_flag_resident, dma_flags = other_flags | command_flag_indexed;

/// A command without the flag has no check word, so that a flag that has turned over is found as well.
Fault check_word(const Command& command) {
  if ((command.flags & command_flag_checked) == 0) {
    if (command.check == 0) return std::nullopt;
    return CommandFault{SequencerError::reserved_not_zero, offsetof(Command, check)};
  }
  std::array<u32, sizeof(Command) / sizeof(u32)> words;
  std::memcpy(words.data(), &command, sizeof command);
  const u32 sum = std::accumulate(words.begin(), words.end(), u32{0}, std::bit_xor<>());
  if (sum == 0) return std::nullopt;
  return CommandFault{SequencerError::command_corrupt, sum};
}

Fault check_reserved(const Command& command, CommandOpcode opcode) {
  const auto not_zero = [](u64 offset) { return CommandFault{SequencerError::reserved_not_zero, offset}; };
  const u8 flags = opcode == CommandOpcode::launch ? launch_flags
                   : opcode == CommandOpcode::dma  ? dma_flags
                                                   : other_flags;
  if (opcode != CommandOpcode::dma && command.unit != 0) return not_zero(offsetof(Command, unit));
  if ((command.flags & ~flags) != 0) return not_zero(offsetof(Command, flags));
  if (command.reserved != 0) return not_zero(offsetof(Command, reserved));
  if (command.reserved2 != 0) return not_zero(offsetof(Command, reserved2));
  if (command.reserved3 != 0) return not_zero(offsetof(Command, reserved3));
  const auto& last = command.reserved4;
  if (std::any_of(last.begin(), last.end(), [](u32 word) { return word != 0; })) {
    return not_zero(offsetof(Command, reserved4));
  }
  return std::nullopt;
}

Fault check_semaphores(const Command& command) {
  const auto exists = [](u8 semaphore) { return semaphore < semaphore_count || semaphore == semaphore_none; };
  const auto bad = [](u64 offset) { return CommandFault{SequencerError::bad_semaphore, offset}; };
  if (!exists(command.signal)) return bad(offsetof(Command, signal));
  for (std::size_t i = 0; i < command.wait.size(); ++i) {
    if (!exists(command.wait[i])) return bad(offsetof(Command, wait) + i);
  }
  return std::nullopt;
}

Fault check_launch(const Command& command, u64 max_image_bytes) {
  for (std::size_t i = 0; i < command.counts.size(); ++i) {
    if (command.counts[i] == 0) {
      return CommandFault{SequencerError::bad_count, offsetof(Command, counts) + i * sizeof(u32)};
    }
  }
  const bool fits = command.image_bytes >= sizeof(ImageHeader) && command.image_bytes <= max_image_bytes &&
                    command.image <= ~u64{0} - command.image_bytes;
  if (!fits) return CommandFault{SequencerError::bad_image_size, command.image_bytes};
  return std::nullopt;
}

}  // namespace

Fault check_command(const Command& command, const CommandLimits& limits) {
  if (const Fault fault = check_word(command)) return fault;
  const auto opcode = static_cast<CommandOpcode>(command.opcode);
  const bool dma = opcode == CommandOpcode::dma, launch = opcode == CommandOpcode::launch;
  if (!dma && !launch && opcode != CommandOpcode::sync) return CommandFault{SequencerError::bad_opcode, command.opcode};
  if (const Fault fault = check_reserved(command, opcode)) return fault;
  if (const Fault fault = check_semaphores(command)) return fault;
  if (dma && command.unit >= limits.channels) return CommandFault{SequencerError::bad_channel, command.unit};
  if (launch) return check_launch(command, limits.max_image_bytes);
  return std::nullopt;
}

Fault check_image(const ImageHeader& header, u32 bytes, const ArrayShape& array) {
  const auto bad = [](u64 offset) { return CommandFault{SequencerError::bad_image, offset}; };
  if (header.magic != image_magic) return bad(offsetof(ImageHeader, magic));
  if (header.version != image_version) return bad(offsetof(ImageHeader, version));
  if (header.total_bytes != bytes) return bad(offsetof(ImageHeader, total_bytes));
  if (header.pe_rows == 0) return bad(offsetof(ImageHeader, pe_rows));
  if (header.pe_columns == 0) return bad(offsetof(ImageHeader, pe_columns));
  if (header.common_bytes > header.total_bytes) return bad(offsetof(ImageHeader, common_bytes));
  if (header.per_pe_bytes > header.total_bytes) return bad(offsetof(ImageHeader, per_pe_bytes));
  if (header.offset_code > header.total_bytes) return bad(offsetof(ImageHeader, offset_code));
  if (header.offset_segments > header.total_bytes) return bad(offsetof(ImageHeader, offset_segments));
  if (header.offset_edges > header.total_bytes) return bad(offsetof(ImageHeader, offset_edges));
  if (header.offset_pe_registers > header.total_bytes) return bad(offsetof(ImageHeader, offset_pe_registers));

  const auto mismatch = [](u64 offset) { return CommandFault{SequencerError::image_mismatch, offset}; };
  if (header.lanes != array.lanes) return mismatch(offsetof(ImageHeader, lanes));
  if (header.pe_rows > array.rows) return mismatch(offsetof(ImageHeader, pe_rows));
  if (header.pe_columns > array.columns) return mismatch(offsetof(ImageHeader, pe_columns));
  return std::nullopt;
}

}  // namespace bvp
