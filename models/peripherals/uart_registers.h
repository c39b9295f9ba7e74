// SPDX-License-Identifier: Apache-2.0
// The registers of a 16550 UART and their fields, one byte each.
#pragma once

#include "models/base/registers.h"

namespace bvp {

/// It has many members because the data sheet has so many registers and fields. The UART connects those whose values it
/// computes.
struct UartRegisters {
  explicit UartRegisters(RegisterBank* bank);

  static constexpr u32 interrupts = 0x0f, modem_outputs = 0x1f;  // bits that IER and MCR have
  // Lines of MSR, in its lower half their changes.
  static constexpr u32 clear_to_send = 1, data_set_ready = 2, ring = 4, carrier = 8;

  /// The lines of MSR: of a cable that is connected, or in loop mode the outputs of MCR.
  [[nodiscard]] u32 modem_inputs() const;

  Register receive_buffer, transmit_holding, divisor_low;
  Register interrupt_enable;
  RegisterField data_enable, transmitter_enable, line_enable, modem_enable;
  Register divisor_high;
  Register identification;
  RegisterField nothing_pending, identity, fifos;
  Register fifo_control;
  RegisterField fifo_enable, clear_receiver, clear_transmitter, trigger;
  Register line_control;
  RegisterField divisor_access;
  Register modem_control;
  RegisterField outputs, loop;
  Register line_status;
  RegisterField data_ready, overrun_error, holding_empty, all_sent;
  Register modem_status;
  RegisterField modem_changes, modem_lines;
  Register scratch;
};

}  // namespace bvp
