// SPDX-License-Identifier: Apache-2.0
// UART, CLINT, PLIC, power controller, simulation control: through their registers.
#include <tlm_utils/simple_initiator_socket.h>

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/base/simulation_context.h"
#include "models/peripherals/clint.h"
#include "models/peripherals/plic.h"
#include "models/peripherals/power_controller.h"
#include "models/peripherals/simulation_control.h"
#include "models/peripherals/uart.h"
#include "models/transport/initiator.h"

using namespace bvp;
using sc_core::sc_time;

namespace {

const auto ns = [](double value) { return sc_time(value, sc_core::SC_NS); };

struct Initiator : sc_core::sc_module {
  explicit Initiator(sc_core::sc_module_name name) : sc_module(name) {}
  tlm_utils::simple_initiator_socket<Initiator> socket{"socket"};
};

/// Accesses a peripheral's registers by name.
template <class Model, class Parameters>
struct Bench {
  explicit Bench(const std::function<void(Parameters&)>& tune = {}) {
    if (tune) tune(parameters);
    dut = std::make_unique<Model>("dut", parameters, clock, stats);
    initiator.socket.bind(dut->target);
  }
  u64 offset(const std::string& name) const {
    const Register* const found = dut->register_bank().find(name);
    REQUIRE(found != nullptr);
    return found->offset();
  }
  tlm::tlm_response_status access(tlm::tlm_command command, u64 address, u32& value) {
    delay = sc_core::SC_ZERO_TIME;
    return bvp::access(initiator.socket, command, address, &value, dut->register_bank().register_bytes(), delay);
  }
  u32 read(const std::string& name) {
    u32 value = 0;
    CHECK(access(tlm::TLM_READ_COMMAND, offset(name), value) == tlm::TLM_OK_RESPONSE);
    return value;
  }
  void write(const std::string& name, u32 value) {
    CHECK(access(tlm::TLM_WRITE_COMMAND, offset(name), value) == tlm::TLM_OK_RESPONSE);
  }
  static void run(const sc_time& time) { sc_core::sc_start(time); }

  SimulationContext context;
  ParameterGroup root{"test"};
  Parameters parameters{&root};
  ClockDomain clock{1e9};
  StatGroup stats{"test"};
  std::unique_ptr<Model> dut;
  Initiator initiator{"initiator"};
  sc_time delay;
};

struct UartBench : Bench<Uart, UartParameters> {
  UartBench() : Bench([](UartParameters& uart) { uart.input_after_s = 1e-6; }) {
    dut->irq.bind(irq);
    connection = dut->sent.connect([this](char character) { sent += character; });
  }
  void receive(const std::string& text) {
    for (const char c : text) dut->receive(c);
    settle();
  }
  void settle() { run(ns(4)); }
  sc_core::sc_signal<bool> irq;
  std::string sent;
  Connection connection;
};

struct ClintBench : Bench<Clint, ClintParameters> {
  ClintBench() {
    dut->timer_irq.bind(irq);
    dut->software_irq.bind(software);
  }
  sc_core::sc_signal<bool> irq, software;
};

struct PlicBench : Bench<Plic, PeripheralParameters> {
  PlicBench() {
    dut->irq.bind(irq);
    dut->sources.bind(lines);
  }
  void drive(unsigned line, bool value) {
    lines[line].write(value);
    run(ns(1));
  }
  void set_priority(unsigned line, u32 priority) {
    CHECK(access(tlm::TLM_WRITE_COMMAND, 4 * line, priority) == tlm::TLM_OK_RESPONSE);
  }
  void settle() { run(ns(3)); }
  sc_core::sc_vector<sc_core::sc_signal<bool>> lines{"lines", Plic::lines};
  sc_core::sc_signal<bool> irq;
};

}  // namespace

TEST_CASE("uart: sends to the sink, at the registers' latency", "[uart]") {
  UartBench bench;
  bench.run(ns(1));
  bench.write("THR", 'h');
  CHECK(bench.delay == ns(2));
  bench.write("THR", 'i');
  CHECK(bench.sent == "hi");
  CHECK(bench.read("LSR") == 0x60);
  u32 value = 0;
  CHECK(bench.access(tlm::TLM_WRITE_COMMAND, 5, value) == tlm::TLM_COMMAND_ERROR_RESPONSE);
  CHECK(bench.access(tlm::TLM_READ_COMMAND, 8, value) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
}

TEST_CASE("uart: registers have the addresses of the data sheet, and only bytes are accessed", "[uart]") {
  UartBench bench;
  const std::vector<std::pair<const char*, u64>> offsets{{"RBR", 0}, {"THR", 0}, {"DLL", 0}, {"IER", 1},
                                                         {"DLM", 1}, {"IIR", 2}, {"FCR", 2}, {"LCR", 3},
                                                         {"MCR", 4}, {"LSR", 5}, {"MSR", 6}, {"SCR", 7}};
  for (const auto& [name, offset] : offsets) CHECK(bench.offset(name) == offset);
  u32 value = 0;
  sc_time delay;
  CHECK(bvp::access(bench.initiator.socket, tlm::TLM_READ_COMMAND, 4, &value, 4, delay) ==
        tlm::TLM_BURST_ERROR_RESPONSE);
  bench.write("SCR", 0xa5);
  CHECK(bench.read("SCR") == 0xa5);
}

TEST_CASE("uart: the divisor latch takes the place of data and interrupt enable", "[uart]") {
  UartBench bench;
  bench.write("IER", 0x0f);
  bench.write("LCR", 0x83);
  bench.write("DLL", 0x12);
  bench.write("DLM", 0x34);
  CHECK(bench.sent.empty());
  CHECK(bench.read("DLL") == 0x12);
  CHECK(bench.read("DLM") == 0x34);
  bench.write("LCR", 0x03);
  CHECK(bench.read("IER") == 0x0f);
  CHECK(bench.read("RBR") == 0);
  bench.write("THR", 'x');
  CHECK(bench.sent == "x");
}

TEST_CASE("uart: without FIFOs one character waits, with them 16, and what is too much is an overrun", "[uart]") {
  UartBench bench;
  bench.receive("ab");
  CHECK(bench.read("LSR") == 0x63);
  CHECK(bench.read("LSR") == 0x61);
  CHECK(bench.read("RBR") == 'a');
  CHECK(bench.read("LSR") == 0x60);
  CHECK((bench.read("IIR") & 0xc0) == 0);

  bench.receive("c");
  bench.write("FCR", 0x01);  // the change empties the receiver
  CHECK(bench.read("LSR") == 0x60);
  CHECK((bench.read("IIR") & 0xc0) == 0xc0);
  bench.receive("0123456789abcdefg");
  CHECK(bench.read("LSR") == 0x63);
  std::string text;
  while ((bench.read("LSR") & 1) != 0) text += static_cast<char>(bench.read("RBR"));
  CHECK(text == "0123456789abcdef");
  bench.receive("xyz");
  bench.write("FCR", 0x03);
  CHECK(bench.read("LSR") == 0x60);
}

TEST_CASE("uart: interrupts in the order of the data sheet", "[uart]") {
  UartBench bench;
  bench.write("FCR", 0x41);  // trigger level 4
  bench.settle();
  CHECK_FALSE(bench.irq.read());
  CHECK(bench.read("IIR") == 0xc1);

  bench.write("IER", 0x02);  // the transmitter is empty already
  bench.settle();
  CHECK(bench.irq.read());
  CHECK(bench.read("IIR") == 0xc2);
  CHECK(bench.read("IIR") == 0xc1);  // reading has ended it
  bench.settle();
  CHECK_FALSE(bench.irq.read());
  bench.write("THR", 'a');
  bench.settle();
  CHECK(bench.irq.read());

  bench.write("IER", 0x07);
  bench.receive("abc");
  CHECK(bench.read("IIR") == 0xcc);  // below the trigger level: as after the timeout
  bench.receive("d");
  CHECK(bench.read("IIR") == 0xc4);
  bench.receive("0123456789abc");
  CHECK(bench.read("IIR") == 0xc6);
  CHECK(bench.read("LSR") == 0x63);
  CHECK(bench.read("IIR") == 0xc4);
  while ((bench.read("LSR") & 1) != 0) bench.read("RBR");
  CHECK(bench.read("IIR") == 0xc2);
  bench.settle();
  CHECK_FALSE(bench.irq.read());
}

TEST_CASE("uart: loop mode", "[uart]") {
  UartBench bench;
  CHECK(bench.read("MSR") == 0xb0);  // CTS, DSR and DCD are on
  bench.write("MCR", 0x10);
  bench.write("THR", 'L');
  CHECK(bench.sent.empty());
  CHECK(bench.read("RBR") == 'L');
  CHECK(bench.read("MSR") == 0x0b);  // all three have gone
  CHECK(bench.read("MSR") == 0x00);
  bench.write("IER", 0x08);
  bench.write("MCR", 0x1f);
  CHECK(bench.read("IIR") == 0x00);
  CHECK(bench.read("MSR") == 0xfb);
  CHECK(bench.read("IIR") == 0x01);
  bench.write("MCR", 0x1b);          // OUT1, which is RI
  CHECK(bench.read("MSR") == 0xb4);  // the end of a ring
}

TEST_CASE("uart: its input begins at its time, and loses nothing", "[uart]") {
  UartBench bench;
  const std::string text(100, 'i');
  std::size_t taken = 0, there = 60;
  bench.dut->set_input(
      [&]() -> std::optional<char> { return taken < there ? std::optional(text[taken++]) : std::nullopt; });
  bench.run(ns(500));
  CHECK(taken == 0);
  bench.write("FCR", 0x07);
  bench.write("IER", 0x01);
  bench.run(ns(600));
  CHECK(taken == 16);
  CHECK(bench.irq.read());
  std::string received;
  const auto drain = [&] {
    while ((bench.read("LSR") & 1) != 0) received += static_cast<char>(bench.read("RBR"));
  };
  drain();
  CHECK(received.size() == 60);
  bench.settle();
  CHECK_FALSE(bench.irq.read());
  there = 100;
  bench.dut->poll_input();
  bench.settle();
  CHECK(bench.irq.read());
  drain();
  CHECK(received == text);
}

TEST_CASE("clint: mtime counts at its frequency and can be set") {
  ClintBench bench;  // ticks of 100 ns, registers of 2 ns
  bench.run(ns(97));
  CHECK(bench.read("MTIME_LO") == 0);
  bench.run(ns(1));
  CHECK(bench.read("MTIME_LO") == 1);
  bench.write("MTIME_LO", 0xffffffff);
  bench.write("MTIME_HI", 5);
  bench.run(ns(100));
  CHECK(bench.read("MTIME_LO") == 0);
  CHECK(bench.read("MTIME_HI") == 6);
}

TEST_CASE("clint: interrupts at the tick of mtimecmp and not before") {
  ClintBench bench;
  bench.run(ns(150));
  CHECK_FALSE(bench.irq.read());
  bench.write("MTIMECMP_LO", 7);
  bench.write("MTIMECMP_HI", 0);
  bench.run(ns(550));  // 700 ns: its processes run in the next call
  CHECK_FALSE(bench.irq.read());
  bench.run(ns(1));
  CHECK(bench.irq.read());
  bench.write("MTIMECMP_LO", 9);
  bench.run(ns(3));
  CHECK_FALSE(bench.irq.read());
  bench.write("MTIMECMP_LO", 3);  // in the past
  bench.run(ns(3));
  CHECK(bench.irq.read());
  bench.write("MTIMECMP_HI", 0xffffffff);  // out of simulated time
  bench.run(ns(5000));
  CHECK_FALSE(bench.irq.read());
}

TEST_CASE("clint: its line changes with mtime too") {
  ClintBench bench;
  bench.write("MTIMECMP_LO", 1000);
  bench.write("MTIMECMP_HI", 0);
  bench.run(ns(50));
  bench.write("MTIME_LO", 999);
  bench.run(ns(50));
  CHECK_FALSE(bench.irq.read());
  bench.run(ns(1));
  CHECK(bench.irq.read());
}

TEST_CASE("clint: the software interrupt, and registers of 64 bits", "[clint]") {
  ClintBench bench;
  bench.write("MSIP", 0xffffffff);
  CHECK(bench.read("MSIP") == 1);
  bench.run(ns(3));
  CHECK(bench.software.read());
  bench.write("MSIP", 0);
  bench.run(ns(3));
  CHECK_FALSE(bench.software.read());
  for (const auto& [name, offset] : std::vector<std::pair<const char*, u64>>{
           {"MSIP", 0}, {"MTIMECMP_LO", 0x4000}, {"MTIMECMP_HI", 0x4004}, {"MTIME_LO", 0xbff8}, {"MTIME_HI", 0xbffc}}) {
    CHECK(bench.offset(name) == offset);
  }
  u64 value = 0x123456789a;
  sc_time delay;
  CHECK(bvp::access(bench.initiator.socket, tlm::TLM_WRITE_COMMAND, 0x4000, &value, 8, delay) == tlm::TLM_OK_RESPONSE);
  CHECK(bench.read("MTIMECMP_HI") == 0x12);
  CHECK(bench.read("MTIMECMP_LO") == 0x3456789a);
}

TEST_CASE("plic: the highest priority first, of several the lowest line, one at a time until completion", "[plic]") {
  PlicBench bench;
  bench.drive(0, true);
  bench.drive(31, true);
  bench.drive(2, true);
  bench.drive(3, true);
  CHECK(bench.read("PENDING") == (1U << 31 | 1U << 3 | 1U << 2));
  CHECK(bench.read("CLAIM") == 0);
  bench.write("ENABLE", 0xffffffff);
  CHECK(bench.read("ENABLE") == 0xfffffffe);
  bench.settle();
  CHECK_FALSE(bench.irq.read());  // all priorities are 0
  CHECK(bench.read("CLAIM") == 0);
  bench.set_priority(0, 7);
  bench.set_priority(2, 1);
  bench.set_priority(3, 1);
  bench.set_priority(31, 15);
  u32 kept = 0;
  CHECK(bench.access(tlm::TLM_READ_COMMAND, 0, kept) == tlm::TLM_OK_RESPONSE);
  CHECK(kept == 0);
  CHECK(bench.access(tlm::TLM_READ_COMMAND, 4 * 31, kept) == tlm::TLM_OK_RESPONSE);
  CHECK(kept == 7);
  bench.settle();
  CHECK(bench.irq.read());
  CHECK(bench.read("CLAIM") == 31);
  CHECK(bench.read("CLAIM") == 2);
  CHECK(bench.read("CLAIM") == 3);
  CHECK(bench.read("CLAIM") == 0);
  bench.settle();
  CHECK_FALSE(bench.irq.read());
  bench.drive(2, false);
  bench.write("CLAIM", 2);
  bench.write("CLAIM", 1000);  // no such line
  bench.settle();
  CHECK_FALSE(bench.irq.read());
  bench.write("CLAIM", 31);  // still high
  bench.settle();
  CHECK(bench.irq.read());
}

TEST_CASE("plic: the threshold holds interrupts back, but not claims", "[plic]") {
  PlicBench bench;
  bench.set_priority(5, 3);
  bench.write("ENABLE", 1U << 5);
  bench.write("THRESHOLD", 3);
  bench.drive(5, true);
  bench.settle();
  CHECK_FALSE(bench.irq.read());
  bench.write("THRESHOLD", 2);
  bench.settle();
  CHECK(bench.irq.read());
  bench.write("THRESHOLD", 15);
  CHECK(bench.read("THRESHOLD") == 7);
  bench.settle();
  CHECK_FALSE(bench.irq.read());
  CHECK(bench.read("CLAIM") == 5);
}

TEST_CASE("plic: a request stays when its source falls, and a line that is served makes none", "[plic]") {
  PlicBench bench;
  bench.set_priority(5, 1);
  bench.write("ENABLE", 1U << 5);
  bench.drive(4, true);
  bench.settle();
  CHECK_FALSE(bench.irq.read());
  bench.drive(5, true);
  bench.drive(5, false);
  CHECK(bench.irq.read());
  CHECK(bench.read("CLAIM") == 5);
  bench.drive(5, true);
  bench.drive(5, false);
  bench.write("CLAIM", 5);
  bench.settle();
  CHECK_FALSE(bench.irq.read());
  CHECK(bench.read("PENDING") == 1U << 4);
  // A line that is not enabled is not completed.
  bench.drive(5, true);
  CHECK(bench.read("CLAIM") == 5);
  bench.write("ENABLE", 0);
  bench.write("CLAIM", 5);
  bench.write("ENABLE", 1U << 5);
  bench.settle();
  CHECK_FALSE(bench.irq.read());
}

TEST_CASE("plic: registers lie where the specification has them", "[plic]") {
  PlicBench bench;
  for (const auto& [name, offset] : std::vector<std::pair<const char*, u64>>{
           {"PRIORITY", 0}, {"PENDING", 0x1000}, {"ENABLE", 0x2000}, {"THRESHOLD", 0x200000}, {"CLAIM", 0x200004}}) {
    CHECK(bench.offset(name) == offset);
  }
}

TEST_CASE("plic: debuggers do not claim", "[plic]") {
  PlicBench bench;
  bench.drive(3, true);
  bench.set_priority(3, 1);
  bench.write("ENABLE", 1U << 3);
  u32 value = 0;
  CHECK(debug_access(bench.initiator.socket, tlm::TLM_READ_COMMAND, bench.offset("CLAIM"), &value, 4) == 4);
  CHECK(value == 3);
  CHECK(bench.read("CLAIM") == 3);
}

TEST_CASE("simulation control: exit, argument, progress, regions") {
  Bench<SimulationControl, PeripheralParameters> bench;
  std::vector<int> exits;
  std::vector<u32> tasks;
  std::vector<std::pair<bool, u32>> regions;
  bench.run(ns(1));
  bench.write("PROGRESS", 1);  // nobody listens
  const Connection exit = bench.dut->exited.connect([&](int code) { exits.push_back(code); });
  const Connection progress = bench.dut->task_done.connect([&](u32 task) { tasks.push_back(task); });
  const Connection begin = bench.dut->region_began.connect([&](u32 region) { regions.emplace_back(true, region); });
  const Connection end = bench.dut->region_ended.connect([&](u32 region) { regions.emplace_back(false, region); });
  bench.dut->set_argument(0x123456789abcdef0);
  CHECK(bench.read("ARGUMENT_LO") == 0x9abcdef0);
  CHECK(bench.read("ARGUMENT_HI") == 0x12345678);
  bench.write("PROGRESS", 7);
  bench.write("REGION_BEGIN", 3);
  bench.write("REGION_END", 3);
  CHECK(tasks == std::vector<u32>{7});
  CHECK(regions == std::vector<std::pair<bool, u32>>{{true, 3}, {false, 3}});
  CHECK_FALSE(bench.dut->exit_code());
  bench.write("EXIT", 0xffffffff);
  bench.write("EXIT", 5);
  CHECK(bench.dut->exit_code() == -1);
  CHECK(exits == std::vector<int>{-1});
}

TEST_CASE("power controller: states, and what waking takes") {
  Bench<PowerController, PowerControllerParameters> bench(
      [](PowerControllerParameters& parameters) { parameters.retention_wake_s = 1e-6; });
  std::vector<ArrayPower> states;
  const Connection connection = bench.dut->array_changed.connect([&](ArrayPower state) { states.push_back(state); });
  bench.run(ns(1));
  CHECK(bench.read("STATUS") == 1);
  CHECK(bench.read("ARRAY_STATE") == 0);
  bench.write("ARRAY_STATE", 3);  // no such state
  bench.write("ARRAY_STATE", 0);  // as it is
  bench.run(ns(10));
  CHECK(states.empty());

  bench.write("ARRAY_STATE", 1);
  CHECK(bench.read("STATUS") == 0);
  CHECK(bench.read("ARRAY_STATE") == 1);
  bench.run(ns(10));
  CHECK(states == std::vector<ArrayPower>{ArrayPower::clock_off});
  bench.write("ARRAY_STATE", 2);
  bench.run(ns(10));
  CHECK(bench.dut->array() == ArrayPower::retention);

  bench.write("ARRAY_STATE", 0);  // at 31 ns; takes effect 2 ns later
  bench.run(ns(1001));
  CHECK(bench.read("STATUS") == 0);
  bench.run(ns(2));
  CHECK(bench.read("STATUS") == 1);
  CHECK(states.size() == 3);

  // A wake that is taken back never happens.
  bench.write("ARRAY_STATE", 2);
  bench.run(ns(10));
  bench.write("ARRAY_STATE", 0);
  bench.run(ns(500));
  bench.write("ARRAY_STATE", 2);
  bench.run(ns(5000));
  CHECK(bench.dut->array() == ArrayPower::retention);
  CHECK(states.size() == 4);

  // Clocks alone do not bring the supply back.
  const bool taken_back = GENERATE(false, true);
  if (taken_back) {
    bench.write("ARRAY_STATE", 0);
    bench.run(ns(500));
  }
  bench.write("ARRAY_STATE", 1);
  bench.run(ns(10));
  CHECK(bench.dut->array() == ArrayPower::clock_off);
  bench.write("ARRAY_STATE", 0);
  bench.run(ns(1000));
  CHECK(bench.read("STATUS") == 0);
  bench.run(ns(3));
  CHECK(bench.read("STATUS") == 1);
}
