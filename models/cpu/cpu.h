// SPDX-License-Identifier: Apache-2.0
// The host CPU: RV64IMAC in machine mode, temporally decoupled.
#pragma once

#include <tlm_utils/simple_initiator_socket.h>

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <systemc>

#include "models/base/signal.h"
#include "models/base/statistics.h"
#include "models/base/types.h"
#include "models/cpu/cpu_debugger.h"
#include "models/cpu/cpu_parameters.h"
#include "models/cpu/machine_csrs.h"
#include "models/cpu/riscv_engine.h"
#include "models/cpu/riscv_instruction.h"

namespace bvp {

struct CpuStatistics {
  explicit CpuStatistics(StatGroup* group)
      : instructions(group, "instruction", "instructions", "instructions completed"),
        sleep_cycles(group, "sleep_cycles", "cycles", "cycles spent in WFI"),
        traps(group, "traps", "traps", "exceptions taken"),
        interrupts(group, "interrupts", "interrupts", "interrupts taken"),
        bus_accesses(group, "bus_accesses", "accesses", "loads and stores outside of directly accessible memory") {}

  Counter instructions, sleep_cycles, traps, interrupts, bus_accesses;
};

/// Runs from the reset PC when simulation starts. The CPU executes and accesses RAM directly if the bus offers DMI for
/// it. All other accesses go through `data`, one at a time and each at its exact time.
class Cpu : public sc_core::sc_module {
 public:
  Cpu(sc_core::sc_module_name name, const CpuParameters& parameters, StatGroup& parent_statistics);
  ~Cpu() override;
  SC_HAS_PROCESS(Cpu);

  tlm_utils::simple_initiator_socket<Cpu> data;
  sc_core::sc_in<bool> timer_irq;
  sc_core::sc_in<bool> software_irq;
  sc_core::sc_in<bool> external_irq;

  void set_reset_pc(u64 pc) { engine_.set_pc(pc); }
  [[nodiscard]] u64 pc() const { return engine_.pc(); }
  void set_pc(u64 pc) { engine_.set_pc(pc); }
  [[nodiscard]] u64 read_register(unsigned index) const { return engine_.read_register(index); }
  void write_register(unsigned index, u64 value) { engine_.write_register(index, value); }
  /// Tells the CPU that firmware will use the memory there. The CPU asks for direct access to it when simulation
  /// starts: asking at the first use would cost the host milliseconds for building another memory map.
  void expect_memory(u64 address) { expected_memory_.push_back(address); }
  /// Must be called when somebody other than the CPU has changed instructions in memory.
  void code_changed(u64 address, u64 bytes) { engine_.code_changed(address, bytes); }

  /// A control and status register as firmware would read it now; none: there is no such register.
  [[nodiscard]] std::optional<u64> csr(unsigned number) const;
  /// Writes it as firmware would. Returns false if there is no such register, or if it is read-only.
  bool set_csr(unsigned number, u64 value);
  /// The instruction at `address`, 0 if the CPU has no direct access to the memory there.
  [[nodiscard]] u32 instruction_at(u64 address) const { return engine_.fetch(address); }

  /// The debugger must outlive the CPU or be taken away by a null pointer. It does not change when anything happens.
  void set_debugger(CpuDebugger* debugger);
  /// Whether the debugger is asked before each instruction, which makes the CPU slow on the host. To be called while
  /// the CPU does not execute: from CpuDebugger::stopped(), or from outside of the simulation.
  void observe_instructions(bool on);

  /// From now on, data accesses to the page of this address go over the bus, where others see them; instructions there
  /// cannot be executed. Call it before the simulation.
  void access_by_bus(u64 address) { engine_.leave_out(address); }
  /// Sets the function that carries out a RISC-V semihosting call: the operation is in a0, its argument in a1, and the
  /// function leaves the result in a0. Without it, the call is the EBREAK that it is made of.
  void set_semihosting(std::function<void()> call) { host_.semihosting = std::move(call); }

  /// Whether the CPU has halted, because an exception has happened that the firmware has no way to handle.
  [[nodiscard]] bool halted() const { return !halt_reason_.empty(); }
  [[nodiscard]] const std::string& halt_reason() const { return halt_reason_; }
  /// Emitted with the reason when the CPU halts, at the simulated time of the halt. If nobody is connected, a warning
  /// is reported.
  Signal<const std::string&> halts;
  Signal<bool> sleep_changed;  ///< true: the CPU goes to sleep in WFI; false: it wakes
  /// Sets the function that gives the value of the `time` register; without it, reading `time` is an illegal
  /// instruction.
  void set_time_source(std::function<u64(const sc_core::sc_time& now)> source) {
    csrs_.set_time_source(std::move(source));
  }
  /// Sets the function that forecasts when timer_irq will rise next, if nobody writes a register of the timer until
  /// then. The CPU does not compute beyond that time, so that it takes the timer's interrupt at once. Without a
  /// forecast, it takes the interrupt up to one quantum late.
  void set_timer_forecast(std::function<sc_core::sc_time()> next_rise) { timer_forecast_ = std::move(next_rise); }

  /// Counts the cycles asleep up to the present; call before reading the statistics.
  void settle();
  [[nodiscard]] sc_core::sc_time period() const { return period_; }

  /// Whether the CPU is in WFI and waits for an interrupt.
  [[nodiscard]] bool sleeping() const { return sleeping_; }
  /// The CPU's own time, which is up to one quantum ahead of simulated time.
  [[nodiscard]] sc_core::sc_time local_time() const { return sc_core::sc_time_stamp() + ahead_; }
  [[nodiscard]] u64 instructions() const { return counted_.instructions.value(); }
  [[nodiscard]] u64 sleep_cycles() const { return counted_.sleep_cycles.value(); }
  [[nodiscard]] u64 traps() const { return counted_.traps.value(); }
  [[nodiscard]] u64 interrupts() const { return counted_.interrupts.value(); }
  [[nodiscard]] u64 bus_accesses() const { return counted_.bus_accesses.value(); }

 private:
  void start_of_simulation() override;
  void run();
  /// Returns false if the debugger has ended the CPU.
  [[nodiscard]] bool execute();
  void sleep();
  /// Waits until simulated time has reached the CPU's own time.
  void synchronise();
  /// Like synchronise(); then waits until all that happens at that time has reached the interrupt lines.
  void settle_lines();
  [[nodiscard]] sc_core::sc_time horizon();
  void advance(u64 instructions);

  void handle_exception(u64 cause);
  void finish_memory_access(u64 cause, u32 instruction);
  void finish_system_instruction(u32 instruction);
  [[nodiscard]] bool calls_host(u64 pc) const;
  void retire(u64 next_pc);

  bool take_interrupt();
  void take_exception(u64 cause, u64 value);
  void enter_trap(u64 cause, u64 value);
  void return_from_trap();
  void halt(u64 cause, u64 value, const char* why);

  /// The bits of `mip` that the interrupt lines set at sc_time_stamp().
  [[nodiscard]] u64 pending() const;
  [[nodiscard]] u64 cycles() const;
  [[nodiscard]] u64 cycles_asleep() const {
    return (sc_core::sc_time_stamp() - asleep_since_).value() / period_.value();
  }

  [[nodiscard]] MachineCsrs::CpuState csr_state() const;
  /// Returns false if the register is read-only.
  bool write_csr(unsigned csr, u64 value);

  /// Whether the protection lets the instruction make its access.
  [[nodiscard]] bool permitted(const riscv::MemoryAccess& access, u64 address) const;
  bool transport(tlm::tlm_command command, u64 address, u8* bytes, unsigned length);
  bool request_direct_memory(u64 address);
  void invalidate_direct_memory(sc_dt::uint64 first, sc_dt::uint64 last);

  struct LastException {
    u64 cause = 0, pc = 1;
    u64 instructions = 0;  // completed before this exception
    unsigned repetitions = 0;
  };

  /// What the simulator's host attaches to the CPU.
  struct Host {
    CpuDebugger* debugger = nullptr;
    std::function<void()> semihosting;
  };

  const sc_core::sc_time quantum_, instruction_time_, period_;
  RiscvEngine engine_;
  Host host_;
  std::vector<u64> expected_memory_;
  MachineCsrs csrs_;
  LastException last_exception_;  // since firmware last left a handler, by MRET or by enabling interrupts
  sc_core::sc_time ahead_;
  sc_core::sc_event_or_list lines_changed_;
  bool lines_in_doubt_ = false;  // the lines may have changed, or a CSR that enables them, since they were last read
  bool sleeping_ = false;
  sc_core::sc_time asleep_since_;
  LastingState asleep_;      // counts cycles since asleep_since_
  std::string halt_reason_;  // empty: it has not halted
  std::function<sc_core::sc_time()> timer_forecast_;

  StatGroup stats_{basename()};
  CpuStatistics counted_{&stats_};
};

}  // namespace bvp
