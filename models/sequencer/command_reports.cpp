// SPDX-License-Identifier: Apache-2.0
#include "models/sequencer/command_reports.h"

#include <fmt/format.h>

#include <utility>

#include "models/base/report.h"
#include "models/sequencer/command_queue.h"

namespace bvp {
namespace {

void count(Register& counter, u32 index = 0) { counter.set(counter.get(index) + 1, index); }

}  // namespace

CommandReports::CommandReports(std::string name, SequencerRegisters& registers, Semaphores& semaphores,
                               SequencerStatistics& statistics)
    : name_(std::move(name)), registers_(registers), semaphores_(semaphores), statistics_(statistics) {}

void CommandReports::started(const Command& command, Cycle now) { commands.started(command, now); }

void CommandReports::launched(const Command& command, const LaunchPhases& phases, Cycle now) {
  commands.launched(command, phases, now);
}

void CommandReports::kernel_failed(const Command& command, Cycle now) { commands.kernel_failed(command, now); }

void CommandReports::completed(const Command& command, Cycle now) {
  const auto opcode = static_cast<CommandOpcode>(command.opcode);
  ++(opcode == CommandOpcode::sync  ? statistics_.commands_sync
     : opcode == CommandOpcode::dma ? statistics_.commands_dma
                                    : statistics_.commands_launch);
  count(registers_.completed.commands);
  count(registers_.unit_completed, unit_of(command));
  commands.completed(command, now);
  if (command.signal != semaphore_none && !semaphores_.signal(command.signal)) {
    raise(SequencerError::semaphore_overflow, command.tag, command.signal);
  }
  if ((command.flags & command_flag_interrupt) != 0) {
    registers_.completed.tag.set(command.tag);
    count(registers_.completed.count);
    registers_.interrupt_status.set(registers_.completion_pending, 1);
    interrupt_pending();
  }
}

void CommandReports::raise(SequencerError error, u32 tag, u64 info, u64 address, u32 rows) {
  ++statistics_.errors;
  if (halted()) return;
  const std::string place = address != 0 ? fmt::format(", address 0x{:x}", address) : std::string();
  report_warning(name_.c_str(), "{} (tag 0x{:x}, info 0x{:x}{})", describe(error), tag, info, place);
  registers_.error.code.set(static_cast<u32>(error));
  registers_.error.tag.set(tag);
  registers_.error.info_lo.set(low_word(info));
  registers_.error.info_hi.set(high_word(info));
  registers_.error.address_lo.set(low_word(address));
  registers_.error.address_hi.set(high_word(address));
  registers_.error.rows.set(rows);
  halts();
  registers_.interrupt_status.set(registers_.error_pending, 1);
  interrupt_pending();
}

}  // namespace bvp
