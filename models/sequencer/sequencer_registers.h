// SPDX-License-Identifier: Apache-2.0
// The sequencer's register file: its registers and fields, and what they alone decide.
#pragma once

#include "models/base/registers.h"
#include "models/sequencer/sequencer_errors.h"

namespace bvp {

/// Registers whose values lie here are plain storage; the sequencer connects the others to the machines that own their
/// values.
struct SequencerRegisters {
  SequencerRegisters();

  [[nodiscard]] SequencerError first_error() const { return static_cast<SequencerError>(error.code.get()); }
  /// An interrupt is pending and enabled.
  [[nodiscard]] bool interrupt() const;
  /// The value of STATUS. @param dma  a bit for each channel on which a transfer runs
  [[nodiscard]] u32 status_word(bool idle, bool array, u32 dma) const;
  /// What CONTROL.RESET clears: errors, interrupts pending, completions. What firmware has set up stays.
  void clear_results();

  RegisterBank bank;

  struct Ring {
    explicit Ring(RegisterBank* bank);
    Register base_lo, base_hi, entries, head, tail;
  } ring;

  Register control;
  RegisterField control_enable, control_reset, control_invalidate;
  Register status;
  RegisterField status_idle, status_busy, status_halted, status_array, status_dma;
  Register interrupt_status;
  RegisterField completion_pending, error_pending;
  Register interrupt_enable;
  RegisterField completion_enable, error_enable;

  struct Completed {
    explicit Completed(RegisterBank* bank);
    Register tag, count, commands;
  } completed;

  struct Error {
    explicit Error(RegisterBank* bank);
    Register code, tag, info_lo, info_hi;
  } error;

  Register semaphore;
  RegisterField semaphore_tokens;
  Register unit_completed;
};

}  // namespace bvp
