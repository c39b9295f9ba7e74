// SPDX-License-Identifier: Apache-2.0
// The UART's behaviour.
#include "models/peripherals/uart.h"

namespace bvp {

Uart::Uart(sc_core::sc_module_name name, const UartParameters& parameters, const ClockDomain& clock,
           StatGroup& parent_stats)
    : Peripheral(name, parameters, clock, parent_stats),
      irq("irq"),
      receive_depth_(static_cast<std::size_t>(parameters.receive_depth)) {
  txdata_.on_write([this](u32 value) {
    ++sent_;
    if (sink_) sink_(static_cast<char>(value & 0xff));
  });
  rxdata_.on_read([this] { return received_.empty() ? 0U : u32{received_.front()}; });
  rxdata_.after_read([this](u32) { take_received(); });
  status_.on_read([this] { return status(); });
  interrupt_enable_.on_write([this](u32 value) {
    interrupt_enable_.set(value & 1);
    update_irq();
  });
  SC_METHOD(drive_irq);
  sensitive << irq_changed_;
}

Uart::~Uart() = default;

void Uart::receive(char character) {
  if (received_.size() >= receive_depth_) {
    overrun_ = true;
    ++dropped_;
    return;
  }
  ++received_count_;
  received_.push_back(static_cast<u8>(character));
  irq_changed_.notify(sc_core::SC_ZERO_TIME);
}

u32 Uart::status() const {
  return 1U << status_tx_ready | static_cast<u32>(!received_.empty()) << status_rx_ready |
         static_cast<u32>(overrun_) << status_overrun;
}

void Uart::take_received() {
  overrun_ = false;
  if (received_.empty()) return;
  received_.pop_front();
  update_irq();
}

void Uart::drive_irq() { irq.write(interrupt_enable_.get() != 0 && !received_.empty()); }

}  // namespace bvp
