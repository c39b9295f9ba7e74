// SPDX-License-Identifier: Apache-2.0
// Behaviour of the UART.
#include "models/peripherals/uart.h"

namespace bvp {

Uart::Uart(sc_core::sc_module_name name, const UartParameters& parameters, const ClockDomain& clock,
           StatGroup& parent_stats)
    : Peripheral(name, parameters, clock, parent_stats),
      irq("irq"),
      receive_depth_(static_cast<std::size_t>(parameters.receive_depth)),
      txdata_(&bank(), "TXDATA", 0x00, RegisterAccess::write_only, 0, "Sends a character."),
      sent_character_(&txdata_, "CHARACTER", 0, 8, "the character"),
      rxdata_(&bank(), "RXDATA", 0x04, RegisterAccess::read_only, 0,
              "Takes the oldest character received; 0 if there is none. Clears STATUS.OVERRUN."),
      received_character_(&rxdata_, "CHARACTER", 0, 8, "the character"),
      status_(&bank(), "STATUS", 0x08, RegisterAccess::read_only, 0, "Status."),
      tx_ready_(&status_, "TX_READY", 0, 1, "TXDATA takes a character: always", 1),
      rx_ready_(&status_, "RX_READY", 1, 1, "RXDATA has a character"),
      overrun_(&status_, "OVERRUN", 2, 1, "characters have been dropped"),
      interrupt_enable_(&bank(), "INTERRUPT_ENABLE", 0x0c, RegisterAccess::read_write, 0,
                        "What raises the interrupt line."),
      rx_interrupt_(&interrupt_enable_, "RX", 0, 1, "RXDATA has a character") {
  txdata_.on_write([this](u32 value) {
    ++sent_count_;
    sent(static_cast<char>(sent_character_.of(value)));
  });
  rxdata_.on_read([this] { return received_.empty() ? 0U : received_character_.bits(received_.front()); });
  rxdata_.after_read([this](u32) { take_received(); });
  status_.on_read([this] { return status(); });
  interrupt_enable_.on_write([this](u32 value) {
    interrupt_enable_.set(rx_interrupt_.bits(rx_interrupt_.of(value)));
    update_irq();
  });
  SC_METHOD(drive_irq);
  sensitive << irq_changed_;
}

Uart::~Uart() = default;

void Uart::receive(char character) {
  if (received_.size() >= receive_depth_) {
    dropped_some_ = true;
    ++dropped_;
    return;
  }
  ++received_count_;
  received_.push_back(static_cast<u8>(character));
  irq_changed_.notify(sc_core::SC_ZERO_TIME);
}

u32 Uart::status() const {
  return tx_ready_.bits(1) | rx_ready_.bits(!received_.empty()) | overrun_.bits(dropped_some_);
}

void Uart::take_received() {
  dropped_some_ = false;
  if (received_.empty()) return;
  received_.pop_front();
  update_irq();
}

void Uart::drive_irq() { irq.write(interrupt_enable_[rx_interrupt_] != 0 && !received_.empty()); }

}  // namespace bvp
