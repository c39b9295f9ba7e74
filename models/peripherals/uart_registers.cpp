// SPDX-License-Identifier: Apache-2.0
#include "models/peripherals/uart_registers.h"

namespace bvp {
namespace {

constexpr auto rw = RegisterAccess::read_write;
constexpr auto ro = RegisterAccess::read_only;
constexpr auto wo = RegisterAccess::write_only;

}  // namespace

UartRegisters::UartRegisters(RegisterBank* bank)
    : receive_buffer(bank, "RBR", 0, ro, 0, "Receiver buffer: takes the oldest character; 0 if there is none."),
      transmit_holding(bank, "THR", 0, wo, 0, "Transmitter holding: sends a character."),
      divisor_low(bank, "DLL", 0, rw, 0, "Divisor latch, low byte; while LCR.DLAB. Without effect.", 1,
                  [this] { return line_control[divisor_access] != 0; }),
      interrupt_enable(bank, "IER", 1, rw, 0, "What interrupts."),
      data_enable(&interrupt_enable, "ERBFI", 0, 1, "received data"),
      transmitter_enable(&interrupt_enable, "ETBEI", 1, 1, "the transmitter is empty"),
      line_enable(&interrupt_enable, "ELSI", 2, 1, "an error of the receiver"),
      modem_enable(&interrupt_enable, "EDSSI", 3, 1, "a modem line has changed, which only loop mode does"),
      divisor_high(bank, "DLM", 1, rw, 0, "Divisor latch, high byte; while LCR.DLAB. Without effect.", 1,
                   [this] { return line_control[divisor_access] != 0; }),
      identification(bank, "IIR", 2, ro, 0,
                     "Which interrupt is pending. Reading it ends that of the transmitter, if it is this."),
      nothing_pending(&identification, "NONE", 0, 1, "no interrupt is pending", 1),
      identity(&identification, "ID", 1, 3,
               "3: error of the receiver, 2: received data, 6: received data below the trigger level, 1: transmitter "
               "empty, 0: modem line; lower in this list, later"),
      fifos(&identification, "FIFOS", 6, 2, "3: the FIFOs are enabled"),
      fifo_control(bank, "FCR", 2, wo, 0, "FIFO control."),
      fifo_enable(&fifo_control, "ENABLE", 0, 1, "16 characters instead of one; a change empties the FIFOs"),
      clear_receiver(&fifo_control, "CLEAR_RX", 1, 1, "empties the receiver's FIFO"),
      clear_transmitter(&fifo_control, "CLEAR_TX", 2, 1, "without effect: the FIFO is always empty"),
      trigger(&fifo_control, "TRIGGER", 6, 2, "received data interrupt from 1, 4, 8 or 14 characters on"),
      line_control(bank, "LCR", 3, rw, 0, "Line control; but for DLAB without effect."),
      divisor_access(&line_control, "DLAB", 7, 1, "DLL and DLM take the place of RBR, THR and IER"),
      modem_control(bank, "MCR", 4, rw, 0, "Modem control."),
      outputs(&modem_control, "OUTPUTS", 0, 4, "DTR, RTS, OUT1, OUT2; seen only in loop mode"),
      loop(&modem_control, "LOOP", 4, 1, "what is sent is received, MSR shows the outputs"),
      line_status(bank, "LSR", 5, ro, 0, "Line status. Reading it clears OE."),
      data_ready(&line_status, "DR", 0, 1, "RBR has a character"),
      overrun_error(&line_status, "OE", 1, 1, "a character was lost because the FIFO was full"),
      holding_empty(&line_status, "THRE", 5, 1, "the transmitter's FIFO is empty: always", 1),
      all_sent(&line_status, "TEMT", 6, 1, "everything is sent: always", 1),
      modem_status(bank, "MSR", 6, ro, 0, "Modem status: CTS, DSR and DCD are on. Reading it clears the changes."),
      modem_changes(&modem_status, "CHANGES", 0, 4, "of CTS, DSR, DCD since the last read; the end of RI"),
      modem_lines(&modem_status, "LINES", 4, 4, "CTS, DSR, RI, DCD", clear_to_send | data_set_ready | carrier),
      scratch(bank, "SCR", 7, rw, 0, "A byte for firmware.") {}

u32 UartRegisters::modem_inputs() const {
  constexpr u32 terminal_ready = 1, request_to_send = 2, output_1 = 4, output_2 = 8;
  if (modem_control[loop] == 0) return clear_to_send | data_set_ready | carrier;
  const u32 on = modem_control[outputs];
  return ((on & request_to_send) != 0 ? clear_to_send : 0) | ((on & terminal_ready) != 0 ? data_set_ready : 0) |
         ((on & output_1) != 0 ? ring : 0) | ((on & output_2) != 0 ? carrier : 0);
}

}  // namespace bvp
