// SPDX-License-Identifier: Apache-2.0
// UART, machine timer, interrupt controller, simulation control: through their registers.
#include <tlm_utils/simple_initiator_socket.h>

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/base/simulation_context.h"
#include "models/peripherals/interrupt_controller.h"
#include "models/peripherals/machine_timer.h"
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
    return bvp::access(initiator.socket, command, address, &value, 4, delay);
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
  UartBench() : Bench([](UartParameters& uart) { uart.receive_depth = 2; }) {
    dut->irq.bind(irq);
    connection = dut->sent.connect([this](char character) { sent += character; });
  }
  sc_core::sc_signal<bool> irq;
  std::string sent;
  Connection connection;
};

struct TimerBench : Bench<MachineTimer, MachineTimerParameters> {
  TimerBench() { dut->irq.bind(irq); }
  sc_core::sc_signal<bool> irq;
};

struct ControllerBench : Bench<InterruptController, PeripheralParameters> {
  ControllerBench() {
    dut->irq.bind(irq);
    dut->sources.bind(lines);
  }
  void drive(unsigned line, bool value) {
    lines[line].write(value);
    run(ns(1));
  }
  sc_core::sc_vector<sc_core::sc_signal<bool>> lines{"lines", InterruptController::lines};
  sc_core::sc_signal<bool> irq;
};

}  // namespace

TEST_CASE("uart: sends to the sink, at the registers' latency") {
  UartBench bench;
  bench.run(ns(1));
  bench.write("TXDATA", 'h');
  CHECK(bench.delay == ns(2));
  bench.write("TXDATA", 0x100 | 'i');
  CHECK(bench.sent == "hi");
  CHECK(bench.read("STATUS") == 1);
  u32 value = 0;
  CHECK(bench.access(tlm::TLM_READ_COMMAND, bench.offset("TXDATA"), value) == tlm::TLM_COMMAND_ERROR_RESPONSE);
  CHECK(bench.access(tlm::TLM_WRITE_COMMAND, bench.offset("STATUS"), value) == tlm::TLM_COMMAND_ERROR_RESPONSE);
  CHECK(bench.access(tlm::TLM_READ_COMMAND, 0x800, value) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
}

TEST_CASE("uart: receives in order, drops when full, interrupts while enabled and not empty") {
  UartBench bench;
  bench.dut->receive('a');  // before the simulation starts
  bench.run(ns(1));
  CHECK_FALSE(bench.irq.read());
  bench.write("INTERRUPT_ENABLE", 0xffffffff);
  CHECK(bench.read("INTERRUPT_ENABLE") == 1);
  bench.run(ns(2));
  CHECK_FALSE(bench.irq.read());  // takes effect at the end of the second
  bench.run(ns(1));
  CHECK(bench.irq.read());
  bench.dut->receive('\xff');
  bench.dut->receive('c');
  CHECK(bench.read("STATUS") == 7);
  CHECK(bench.read("RXDATA") == 'a');
  CHECK(bench.read("STATUS") == 3);
  CHECK(bench.read("RXDATA") == 0xff);
  CHECK(bench.read("RXDATA") == 0);
  CHECK(bench.read("STATUS") == 1);
  bench.run(ns(3));
  CHECK_FALSE(bench.irq.read());
  bench.dut->receive('d');
  bench.run(ns(1));
  CHECK(bench.irq.read());
}

TEST_CASE("timer: mtime counts at its frequency and can be set") {
  TimerBench bench;  // ticks of 100 ns, registers of 2 ns
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

TEST_CASE("timer: interrupts at the tick of mtimecmp and not before") {
  TimerBench bench;
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

TEST_CASE("timer: its line changes with mtime too") {
  TimerBench bench;
  bench.write("MTIMECMP_LO", 1000);
  bench.write("MTIMECMP_HI", 0);
  bench.run(ns(50));
  bench.write("MTIME_LO", 999);
  bench.run(ns(50));
  CHECK_FALSE(bench.irq.read());
  bench.run(ns(1));
  CHECK(bench.irq.read());
}

TEST_CASE("interrupt controller: the lowest enabled line first, one at a time until completion") {
  ControllerBench bench;
  bench.drive(0, true);
  bench.drive(31, true);
  bench.drive(2, true);
  CHECK(bench.read("PENDING") == (1U << 31 | 1U << 2));
  CHECK_FALSE(bench.irq.read());
  CHECK(bench.read("CLAIM") == 0);
  bench.write("ENABLE", 0xffffffff);
  CHECK(bench.read("ENABLE") == 0xfffffffe);
  bench.run(ns(3));
  CHECK(bench.irq.read());
  CHECK(bench.read("CLAIM") == 2);
  CHECK(bench.read("CLAIM") == 31);
  CHECK(bench.read("CLAIM") == 0);
  bench.run(ns(3));
  CHECK_FALSE(bench.irq.read());
  bench.drive(2, false);
  bench.write("CLAIM", 2);
  bench.write("CLAIM", 1000);  // no such line
  bench.run(ns(3));
  CHECK_FALSE(bench.irq.read());
  bench.write("CLAIM", 31);  // still high
  bench.run(ns(3));
  CHECK(bench.irq.read());
  bench.drive(31, false);
  CHECK_FALSE(bench.irq.read());
}

TEST_CASE("interrupt controller: the line falls when its source does") {
  ControllerBench bench;
  bench.write("ENABLE", 1U << 5);
  bench.drive(4, true);
  bench.run(ns(3));
  CHECK_FALSE(bench.irq.read());
  bench.drive(5, true);
  CHECK(bench.irq.read());
  bench.drive(5, false);
  CHECK_FALSE(bench.irq.read());
}

TEST_CASE("interrupt controller: debuggers do not claim") {
  ControllerBench bench;
  bench.drive(3, true);
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
