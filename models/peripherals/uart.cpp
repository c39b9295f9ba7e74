// SPDX-License-Identifier: Apache-2.0
// Behaviour of the UART, by the data sheet of the PC16550D.
#include "models/peripherals/uart.h"

#include <array>
#include <utility>

namespace bvp {

Uart::Uart(sc_core::sc_module_name name, const UartParameters& parameters, const ClockDomain& clock,
           StatGroup& parent_stats)
    : Peripheral(name, parameters, clock, parent_stats, 1),
      irq("irq"),
      input_after_(parameters.input_after_s, sc_core::SC_SEC) {
  modem_before_ = registers_.modem_inputs();
  define_behaviour();
  SC_METHOD(drive_irq);
  sensitive << irq_changed_;
  SC_METHOD(begin_input);
  sensitive << input_begins_;
  dont_initialize();
}

Uart::~Uart() = default;

void Uart::define_behaviour() {
  registers_.receive_buffer.on_read([this] { return received_.empty() ? 0U : u32{received_.front()}; });
  registers_.receive_buffer.after_read([this](u32) { take_received(); });
  registers_.transmit_holding.on_write([this](u32 value) { send(value); });
  registers_.interrupt_enable.on_write([this](u32 value) {
    registers_.interrupt_enable.set(value & UartRegisters::interrupts);
    // The transmitter is empty already when its interrupt is enabled.
    const bool enabled = registers_.transmitter_enable.of(value) != 0;
    if (enabled != transmitter_enabled_) transmitter_empty_ = enabled;
    transmitter_enabled_ = enabled;
    update_irq();
  });
  registers_.identification.on_read([this] { return identification(); });
  registers_.identification.after_read([this](u32 value) {
    if (registers_.identity.of(value) != static_cast<u32>(Cause::transmitter) ||
        registers_.nothing_pending.of(value) != 0)
      return;
    transmitter_empty_ = false;
    update_irq();
  });
  registers_.fifo_control.on_write([this](u32 value) { control_fifo(value); });
  registers_.modem_control.on_write([this](u32 value) {
    registers_.modem_control.set(value & UartRegisters::modem_outputs);
    update_irq();
  });
  registers_.line_status.on_read([this] { return line_status(); });
  registers_.line_status.after_read([this](u32) {
    overrun_ = false;
    update_irq();
  });
  registers_.modem_status.on_read([this] { return modem_status(); });
  registers_.modem_status.after_read([this](u32 value) {
    modem_before_ = registers_.modem_lines.of(value);
    update_irq();
  });
}

void Uart::receive(char character) {
  if (received_.size() >= depth()) {
    overrun_ = true;
    ++dropped_;
  } else {
    ++received_count_;
    received_.push_back(static_cast<u8>(character));
  }
  irq_changed_.notify(sc_core::SC_ZERO_TIME);
}

void Uart::set_input(std::function<std::optional<char>()> next) {
  next_input_ = std::move(next);
  input_begins_.notify(input_after_);
}

void Uart::begin_input() {
  input_has_begun_ = true;
  poll_input();
}

void Uart::poll_input() {
  if (!input_has_begun_) return;
  const bool loops = registers_.modem_control[registers_.loop] != 0;
  while (!loops && received_.size() < depth()) {
    const std::optional<char> character = next_input_();
    if (!character) return;
    receive(*character);
  }
}

void Uart::send(u32 character) {
  transmitter_empty_ = true;  // at once, for a character takes no time
  update_irq();
  if (registers_.modem_control[registers_.loop] != 0) {
    receive(static_cast<char>(character));
    return;
  }
  ++sent_count_;
  sent(static_cast<char>(character));
}

void Uart::take_received() {
  if (!received_.empty()) received_.pop_front();
  poll_input();
  update_irq();
}

void Uart::control_fifo(u32 value) {
  const bool on = registers_.fifo_enable.of(value) != 0, changes = on != fifo_on_;
  fifo_on_ = on;
  registers_.fifo_control.set(registers_.fifo_enable.bits(on) |
                              registers_.trigger.bits(on ? registers_.trigger.of(value) : 0));
  if (changes || (on && registers_.clear_receiver.of(value) != 0)) received_.clear();
  poll_input();
  update_irq();
}

std::size_t Uart::trigger() const {
  constexpr std::array<std::size_t, 4> levels{1, 4, 8, 14};
  return fifo_on_ ? levels.at(registers_.fifo_control[registers_.trigger]) : 1;
}

// A character takes no time, so the four that the data sheet waits before a timeout are over at once.
Uart::Cause Uart::cause() const {
  if (registers_.interrupt_enable[registers_.line_enable] != 0 && overrun_) return Cause::line;
  if (registers_.interrupt_enable[registers_.data_enable] != 0 && !received_.empty()) {
    return received_.size() >= trigger() ? Cause::data : Cause::timeout;
  }
  if (registers_.interrupt_enable[registers_.transmitter_enable] != 0 && transmitter_empty_) return Cause::transmitter;
  if (registers_.interrupt_enable[registers_.modem_enable] != 0 && registers_.modem_changes.of(modem_status()) != 0)
    return Cause::modem;
  return Cause::none;
}

u32 Uart::identification() const {
  const Cause pending = cause();
  const u32 fifos = registers_.fifos.bits(fifo_on_ ? registers_.fifos.max() : 0);
  return fifos | (pending == Cause::none ? registers_.nothing_pending.bits(1)
                                         : registers_.identity.bits(static_cast<u32>(pending)));
}

u32 Uart::line_status() const {
  return registers_.holding_empty.bits(1) | registers_.all_sent.bits(1) |
         registers_.data_ready.bits(!received_.empty()) | registers_.overrun_error.bits(overrun_);
}

u32 Uart::modem_status() const {
  const u32 lines = registers_.modem_inputs();
  u32 changes = lines ^ modem_before_;
  if ((lines & UartRegisters::ring) != 0) changes &= ~UartRegisters::ring;  // only the end of a ring counts
  return registers_.modem_lines.bits(lines) | registers_.modem_changes.bits(changes);
}

}  // namespace bvp
