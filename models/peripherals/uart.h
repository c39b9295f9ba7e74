// SPDX-License-Identifier: Apache-2.0
// The UART, a 16550: the firmware's console. See docs/models/uart.md.
#pragma once

#include <deque>
#include <functional>
#include <optional>

#include "models/base/signal.h"
#include "models/peripherals/peripheral.h"
#include "models/peripherals/uart_registers.h"

namespace bvp {

class Uart : public Peripheral {
 public:
  sc_core::sc_out<bool> irq;

  static constexpr std::size_t fifo_depth = 16;

  Uart(sc_core::sc_module_name name, const UartParameters& parameters, const ClockDomain& clock,
       StatGroup& parent_stats);
  ~Uart() override;
  SC_HAS_PROCESS(Uart);

  Signal<char> sent;  ///< emitted for each character that firmware sends
  /// Receives a character from outside; one that finds the FIFO full is lost. Call it from the simulation's thread,
  /// before or during the simulation.
  void receive(char character);

  /// Sets who sends to the UART: a function that returns the next character, or nothing if there is none now. It is
  /// asked, from the time on that the parameters give, whenever the FIFO has room, so that nothing is lost. Call it
  /// before the simulation.
  void set_input(std::function<std::optional<char>()> next);
  /// Asks again whether there are characters; to be called when the sender may have got some.
  void poll_input();
  /// Whether received characters interrupt.
  [[nodiscard]] bool receive_interrupts() const { return registers_.interrupt_enable[registers_.data_enable] != 0; }

 private:
  /// What IIR.ID says; none: no interrupt is pending.
  enum class Cause : u32 { modem = 0, transmitter = 1, data = 2, line = 3, timeout = 6, none = 8 };

  [[nodiscard]] Cause cause() const;
  [[nodiscard]] u32 identification() const;
  [[nodiscard]] u32 line_status() const;
  [[nodiscard]] u32 modem_status() const;
  [[nodiscard]] std::size_t depth() const { return fifo_on_ ? fifo_depth : 1; }
  [[nodiscard]] std::size_t trigger() const;
  void send(u32 character);
  void take_received();
  void control_fifo(u32 value);
  void begin_input();
  void drive_irq() { irq.write(cause() != Cause::none); }
  void update_irq() { irq_changed_.notify(until_access()); }
  void define_behaviour();

  std::deque<u8> received_;
  bool fifo_on_ = false;
  bool transmitter_enabled_ = false;
  bool overrun_ = false;            // since the last read of LSR
  bool transmitter_empty_ = false;  // the interrupt has not been seen in IIR or served by a character
  u32 modem_before_ = 0;            // MSR at its last read
  std::function<std::optional<char>()> next_input_;
  const sc_core::sc_time input_after_;
  bool input_has_begun_ = false;
  sc_core::sc_event irq_changed_, input_begins_;

  Counter sent_count_{stats(), "sent", "characters", "characters sent"};
  Counter received_count_{stats(), "received", "characters", "characters received"};
  Counter dropped_{stats(), "dropped", "characters", "characters lost because the FIFO was full"};

  UartRegisters registers_{&bank()};
};

}  // namespace bvp
