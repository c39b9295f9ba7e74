// SPDX-License-Identifier: Apache-2.0
// The sequencer's registers and fields, and the values that depend on the registers alone.
#pragma once

#include <string>

#include "models/base/registers.h"
#include "models/sequencer/sequencer_errors.h"

namespace bvp {

/// A register whose value is stored here is plain storage. The sequencer connects the other registers to the machines
/// that own their values.
struct SequencerRegisters {
  /// @param name  of the bank
  explicit SequencerRegisters(std::string name);

  [[nodiscard]] SequencerError first_error() const { return static_cast<SequencerError>(error.code.get()); }
  /// Whether an interrupt is both pending and enabled.
  [[nodiscard]] bool interrupt() const;
  /// The value of STATUS. @param dma  a bit for each channel on which a transfer runs
  [[nodiscard]] u32 status_word(bool idle, bool array, u32 dma) const;
  /// Clears what CONTROL.RESET clears: errors, pending interrupts and completions. The settings of firmware stay.
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
    Register code, tag, info_lo, info_hi, address_lo, address_hi, rows;
  } error;

  /// Longest durations, and how units are stopped.
  struct Limits {
    explicit Limits(RegisterBank* bank);
    Register launch, dma, abort;
    RegisterField abort_array, abort_dma;
  } limits;

  Register row_disable;
  Register semaphore;
  RegisterField semaphore_tokens;
  Register unit_completed;
};

}  // namespace bvp
