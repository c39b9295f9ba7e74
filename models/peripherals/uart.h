// SPDX-License-Identifier: Apache-2.0
// The UART: the firmware's console. See docs/models/uart.md.
#pragma once

#include <deque>
#include <functional>

#include "models/peripherals/peripheral.h"

namespace bvp {

class Uart : public Peripheral {
 public:
  sc_core::sc_out<bool> irq;

  Uart(sc_core::sc_module_name name, const UartParameters& parameters, const ClockDomain& clock,
       StatGroup& parent_stats);
  ~Uart() override;
  SC_HAS_PROCESS(Uart);

  /// Gets every character sent; without a sink they are dropped.
  void set_sink(std::function<void(char)> sink) { sink_ = std::move(sink); }
  /// A character from outside; dropped when too many wait. From the simulation's thread, before or while it runs.
  void receive(char character);

 private:
  [[nodiscard]] u32 status() const;
  void take_received();
  void drive_irq();
  void update_irq() { irq_changed_.notify(until_access()); }

  const std::size_t receive_depth_;
  std::function<void(char)> sink_;
  std::deque<u8> received_;
  bool overrun_ = false;
  sc_core::sc_event irq_changed_;

  Counter sent_{stats(), "sent", "characters", "characters sent"};
  Counter received_count_{stats(), "received", "characters", "characters received"};
  Counter dropped_{stats(), "dropped", "characters", "characters dropped because too many waited"};

  static constexpr unsigned status_tx_ready = 0, status_rx_ready = 1, status_overrun = 2;

  Register txdata_{&bank(),
                   "TXDATA",
                   0x00,
                   RegisterAccess::write_only,
                   0,
                   "Sends a character.",
                   {{"CHARACTER", 0, 8, "the character"}}};
  Register rxdata_{&bank(),
                   "RXDATA",
                   0x04,
                   RegisterAccess::read_only,
                   0,
                   "Takes the oldest character received; 0 if there is none. Clears STATUS.OVERRUN.",
                   {{"CHARACTER", 0, 8, "the character"}}};
  Register status_{&bank(),
                   "STATUS",
                   0x08,
                   RegisterAccess::read_only,
                   1U << status_tx_ready,
                   "Status.",
                   {{"TX_READY", status_tx_ready, 1, "TXDATA takes a character: always"},
                    {"RX_READY", status_rx_ready, 1, "RXDATA has a character"},
                    {"OVERRUN", status_overrun, 1, "characters have been dropped"}}};
  Register interrupt_enable_{&bank(),
                             "INTERRUPT_ENABLE",
                             0x0c,
                             RegisterAccess::read_write,
                             0,
                             "What raises the interrupt line.",
                             {{"RX", 0, 1, "RXDATA has a character"}}};
};

}  // namespace bvp
