// SPDX-License-Identifier: Apache-2.0
#include "models/sequencer/sequencer_registers.h"

#include <utility>

#include "models/abi/records.h"

namespace bvp {

SequencerRegisters::Ring::Ring(RegisterBank* bank)
    : base_lo(bank, "RING_BASE_LO", 0x00, RegisterAccess::read_write, 0,
              "Byte address of the command ring, bits 31..0; a multiple of 64. Written only while the "
              "ring is not in use; that empties the ring (HEAD = TAIL = 0)."),
      base_hi(bank, "RING_BASE_HI", 0x04, RegisterAccess::read_write, 0,
              "Byte address of the command ring, bits 63..32."),
      entries(bank, "RING_ENTRIES", 0x08, RegisterAccess::read_write, 0,
              "Commands that the ring holds: a power of two from 2 to 65536. Written like RING_BASE."),
      head(bank, "HEAD", 0x0c, RegisterAccess::read_only, 0,
           "Index of the next command to fetch; the entries before it may be overwritten."),
      tail(bank, "TAIL", 0x10, RegisterAccess::read_write, 0,
           "Doorbell: index one past the last valid command, modulo RING_ENTRIES. TAIL = HEAD: empty.") {}

SequencerRegisters::Completed::Completed(RegisterBank* bank)
    : tag(bank, "COMPLETED_TAG", 0x24, RegisterAccess::read_only, 0,
          "Tag of the last completed command that had the interrupt flag."),
      count(bank, "COMPLETED_COUNT", 0x28, RegisterAccess::read_only, 0,
            "Completed commands that had the interrupt flag, of all units together, modulo "
            "2^32. It does not say which ones: UNIT_COMPLETED does."),
      commands(bank, "COMMANDS_COMPLETED", 0x2c, RegisterAccess::read_only, 0, "Completed commands, modulo 2^32.") {}

SequencerRegisters::Error::Error(RegisterBank* bank)
    : code(bank, "ERROR_CODE", 0x30, RegisterAccess::read_only, 0,
           "The first error since the reset, a SequencerError; 0: none."),
      tag(bank, "ERROR_TAG", 0x34, RegisterAccess::read_only, 0,
          "Tag of the command at fault, 0xffffffff: no command."),
      info_lo(bank, "ERROR_INFO_LO", 0x38, RegisterAccess::read_only, 0,
              "Bits 31..0 of what the error is about; see the error codes."),
      info_hi(bank, "ERROR_INFO_HI", 0x3c, RegisterAccess::read_only, 0, "Bits 63..32 of what the error is about."),
      address_lo(
          bank, "ERROR_ADDRESS_LO", 0x40, RegisterAccess::read_only, 0,
          "Bits 31..0 of the bus address at fault: of the request that a DMA transfer or a fetch has failed with, "
          "or of the next byte that a transfer would have written when it was stopped; 0: no address."),
      address_hi(bank, "ERROR_ADDRESS_HI", 0x44, RegisterAccess::read_only, 0, "Bits 63..32 of the address at fault."),
      rows(
          bank, "ERROR_ROWS", 0x54, RegisterAccess::read_only, 0,
          "The rows of PEs that the error is about, a bit for each row of the array: of PEs that have not reported the "
          "end of a launch that was stopped, of one that has refused an image or a launch, or that has failed; 0: the "
          "error is about no PE.") {}

SequencerRegisters::Limits::Limits(RegisterBank* bank)
    : launch(bank, "LAUNCH_LIMIT", 0x48, RegisterAccess::read_write, 0,
             "Cycles that a launch may take, from its start in the PEs or from the end of the launch before, whichever "
             "is later; 0: any number. A reset keeps it."),
      dma(bank, "DMA_LIMIT", 0x4c, RegisterAccess::read_write, 0,
          "Cycles that a DMA transfer may take from its start; 0: any number. It holds for transfers that start after "
          "the write. A reset keeps it."),
      abort(bank, "ABORT", 0x50, RegisterAccess::write_only, 0,
            "Written ones stop units, whose commands do not complete: a launch at once, a transfer when its bursts in "
            "flight are done. The first command that is stopped halts the sequencer with the error `aborted`. The "
            "fields are at the places that they have in STATUS."),
      abort_array(&abort, "ARRAY", 8, 1, "stop the launches that start or run"),
      abort_dma(&abort, "DMA", 16, 16, "bit per DMA channel: abort its transfer") {}

SequencerRegisters::SequencerRegisters(std::string name)
    : bank(std::move(name)),
      ring(&bank),
      control(&bank, "CONTROL", 0x14, RegisterAccess::read_write, 0, "Control."),
      control_enable(&control, "ENABLE", 0, 1, "fetch commands"),
      control_reset(&control, "RESET", 1, 1,
                    "write 1: drop all commands, clear errors, interrupts, semaphores, HEAD and TAIL; units that "
                    "run finish unheard; reads as 0"),
      control_invalidate(&control, "INVALIDATE", 2, 1,
                         "write 1: forget the configured kernel image because memory has changed; reads as 0"),
      status(&bank, "STATUS", 0x18, RegisterAccess::read_only, 0, "Status."),
      status_idle(&status, "IDLE", 0, 1, "nothing to fetch, queued or running", 1),
      status_busy(&status, "BUSY", 1, 1, "the opposite of IDLE"),
      status_halted(&status, "HALTED", 2, 1, "an error stopped it; only CONTROL.RESET starts it again"),
      status_array(&status, "ARRAY", 8, 1, "a kernel is being launched or runs"),
      status_dma(&status, "DMA", 16, 16, "bit per DMA channel: a transfer runs"),
      interrupt_status(&bank, "INTERRUPT_STATUS", 0x1c, RegisterAccess::write_one_to_clear, 0, "Interrupts pending."),
      completion_pending(&interrupt_status, "COMPLETION", 0, 1, "a command with the interrupt flag has completed"),
      error_pending(&interrupt_status, "ERROR", 1, 1, "an error halted the sequencer"),
      interrupt_enable(&bank, "INTERRUPT_ENABLE", 0x20, RegisterAccess::read_write, 0,
                       "Interrupts that raise the line."),
      completion_enable(&interrupt_enable, "COMPLETION", 0, 1, "as in INTERRUPT_STATUS"),
      error_enable(&interrupt_enable, "ERROR", 1, 1, "likewise"),
      completed(&bank),
      error(&bank),
      limits(&bank),
      row_disable(
          &bank, "ROW_DISABLE", 0x58, RegisterAccess::read_write, 0,
          "Rows of PEs that kernels leave out, a bit for each row of the array: row r of a kernel is the r-th of "
          "the others. Written only while STATUS.IDLE; the PEs forget their kernels. A reset keeps it."),
      semaphore(&bank, "SEMAPHORE", 0x80, RegisterAccess::read_write, 0, "Tokens of each semaphore.", semaphore_count),
      semaphore_tokens(&semaphore, "TOKENS", 0, 16, "0 to 65535"),
      unit_completed(&bank, "UNIT_COMPLETED", 0x100, RegisterAccess::read_only, 0,
                     "Commands that each unit has completed, modulo 2^32, with the interrupt flag or without: sync "
                     "commands, launches, then DMA channel 0 and those behind it. A unit completes its commands in "
                     "the order of the ring, so its n-th command is done when its element has reached n.",
                     unit_index_count) {}

bool SequencerRegisters::interrupt() const {
  return (interrupt_status[completion_pending] & interrupt_enable[completion_enable]) != 0 ||
         (interrupt_status[error_pending] & interrupt_enable[error_enable]) != 0;
}

u32 SequencerRegisters::status_word(bool idle, bool array, u32 dma) const {
  return status_idle.bits(idle) | status_busy.bits(!idle) | status_halted.bits(first_error() != SequencerError::none) |
         status_array.bits(array) | status_dma.bits(dma);
}

void SequencerRegisters::clear_results() {
  for (Register* cleared :
       {&error.code, &error.tag, &error.info_lo, &error.info_hi, &error.address_lo, &error.address_hi, &error.rows,
        &interrupt_status, &completed.tag, &completed.count, &completed.commands, &unit_completed}) {
    cleared->reset();
  }
}

}  // namespace bvp
