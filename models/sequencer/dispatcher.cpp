// SPDX-License-Identifier: Apache-2.0
#include "models/sequencer/dispatcher.h"

namespace bvp {

Dispatcher::Dispatcher(const SequencerParameters& parameters, u32 channels, Semaphores& semaphores,
                       CommandReports& reports, SequencerStatistics& statistics)
    : cycles_(static_cast<Cycle>(parameters.dispatch_cycles.get())),
      limits_{channels, static_cast<u64>(parameters.max_image_bytes.get())},
      semaphores_(semaphores),
      reports_(reports),
      statistics_(statistics) {}

bool Dispatcher::advance(Cycle now, CommandRing& ring, UnitQueues& queues) {
  if (!current_) {
    const std::optional<CommandRing::Fetched> entry = ring.take(now);
    if (!entry) return false;
    if (entry->failed) {
      reports_.raise(SequencerError::fetch_failed, CommandReports::no_tag, entry->address, entry->address);
    } else {
      current_ = Current{entry->command, entry->address, now + cycles_, false};
    }
    return true;
  }
  if (current_->done > now) return false;
  const Command& command = current_->command;
  if (!current_->decoded) {
    ++statistics_.commands_decoded;
    current_->decoded = true;
    if (const std::optional<CommandFault> fault = check_command(command, limits_)) {
      const bool corrupt = fault->error == SequencerError::command_corrupt;
      reports_.raise(fault->error, command.tag, fault->info, corrupt ? current_->address : 0);
      current_.reset();
      return true;
    }
  }
  if (!place(command, now, queues)) return false;
  current_.reset();
  return true;
}

bool Dispatcher::place(const Command& command, Cycle now, UnitQueues& queues) {
  const u32 unit = unit_of(command);
  if (unit == unit_index_sync) {
    if (!semaphores_.acquire(command, blocked_, now)) return false;
    reports_.started(command, now);
    reports_.completed(command, now);
    return true;
  }
  if (!queues[unit].push(command)) {
    stalled_.begin(now);
    return false;
  }
  stalled_.end(statistics_.dispatch_stall_cycles, now);
  return true;
}

void Dispatcher::settle(Cycle now) {
  blocked_.settle(statistics_.semaphore_wait_cycles, now);
  stalled_.settle(statistics_.dispatch_stall_cycles, now);
}

void Dispatcher::end_waits(Cycle now) {
  blocked_.end(statistics_.semaphore_wait_cycles, now);
  stalled_.end(statistics_.dispatch_stall_cycles, now);
}

}  // namespace bvp
