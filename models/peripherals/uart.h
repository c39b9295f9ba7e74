// SPDX-License-Identifier: Apache-2.0
// The UART: the firmware's console. See docs/models/uart.md.
#pragma once

#include <deque>

#include "models/base/signal.h"
#include "models/peripherals/peripheral.h"

namespace bvp {

class Uart : public Peripheral {
 public:
  sc_core::sc_out<bool> irq;

  Uart(sc_core::sc_module_name name, const UartParameters& parameters, const ClockDomain& clock,
       StatGroup& parent_stats);
  ~Uart() override;
  SC_HAS_PROCESS(Uart);

  Signal<char> sent;  ///< emitted for each character that firmware sends
  /// Receives a character from outside; drops it when too many wait. Call it from the simulation's thread, before or
  /// during the simulation.
  void receive(char character);

 private:
  [[nodiscard]] u32 status() const;
  void take_received();
  void drive_irq();
  void update_irq() { irq_changed_.notify(until_access()); }

  const std::size_t receive_depth_;
  std::deque<u8> received_;
  bool dropped_some_ = false;  // since the last read of RXDATA
  sc_core::sc_event irq_changed_;

  Counter sent_count_{stats(), "sent", "characters", "characters sent"};
  Counter received_count_{stats(), "received", "characters", "characters received"};
  Counter dropped_{stats(), "dropped", "characters", "characters dropped because too many waited"};

  Register txdata_;
  RegisterField sent_character_;
  Register rxdata_;
  RegisterField received_character_;
  Register status_;
  RegisterField tx_ready_, rx_ready_, overrun_;
  Register interrupt_enable_;
  RegisterField rx_interrupt_;
};

}  // namespace bvp
