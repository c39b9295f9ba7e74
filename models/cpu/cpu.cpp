// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/cpu.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "models/base/report.h"
#include "models/cpu/instruction_time.h"
#include "models/transport/initiator.h"

namespace bvp {
namespace {

constexpr unsigned max_repetitions = 8;
// A change passes from a device through the interrupt controller to the CPU in three delta cycles.
constexpr unsigned max_delta_cycles = 8;

u64 extend(u64 value, unsigned bytes, bool sign) {
  const unsigned unused = 64 - 8 * bytes;
  if (sign) return static_cast<u64>(static_cast<i64>(value << unused) >> unused);
  return value << unused >> unused;
}

}  // namespace

Cpu::Cpu(sc_core::sc_module_name name, const CpuParameters& parameters, StatGroup& parent_statistics)
    : sc_module(name),
      data("data"),
      timer_irq("timer_irq"),
      software_irq("software_irq"),
      external_irq("external_irq"),
      quantum_(parameters.quantum_s, sc_core::SC_SEC),
      instruction_time_(instruction_time(parameters)),
      period_(1.0 / parameters.clock_hz, sc_core::SC_SEC) {
  parent_statistics.add(&stats_);
  data.register_invalidate_direct_mem_ptr(this, &Cpu::invalidate_direct_memory);
  SC_THREAD(run);
}

Cpu::~Cpu() = default;

// ---------------------------------------------------------------------------------------------------------
// Running

void Cpu::start_of_simulation() {
  for (const u64 address : expected_memory_) {
    if (!engine_.mapped(address)) request_direct_memory(address);
  }
}

void Cpu::run() {
  lines_changed_ =
      timer_irq.value_changed_event() | software_irq.value_changed_event() | external_irq.value_changed_event();
  while (!halted()) {
    if (!take_interrupt() && !execute()) return;
    if (ahead_ >= quantum_) synchronise();
  }
  // The CPU has computed ahead of the simulation: it halts when simulated time reaches the CPU's own time.
  synchronise();
  if (halts.connected()) {
    halts(halt_reason_);
  } else {
    report_warning(name(), "{}", halt_reason_);
  }
}

bool Cpu::execute() {
  const sc_core::sc_time limit = horizon();
  u64 budget = ahead_ < limit ? (limit - ahead_).value() / instruction_time_.value() : 0;
  RiscvEngine::Result result = engine_.run(budget);
  advance(result.executed);
  // A stop changes nothing: the CPU goes on with what is left of its budget, without looking at the interrupt lines.
  while (result.stop == RiscvEngine::Stop::probe) {
    if (!host_.debugger->stopped()) return false;
    budget -= std::min(budget, result.executed);
    result = engine_.run(budget);
    advance(result.executed);
  }
  if (result.stop == RiscvEngine::Stop::wfi) sleep();
  if (result.stop == RiscvEngine::Stop::exception) handle_exception(result.cause);
  if (limit < quantum_ && ahead_ >= limit) lines_in_doubt_ = true;
  return true;
}

void Cpu::set_debugger(CpuDebugger* debugger) {
  observe_instructions(false);
  host_.debugger = debugger;
}

void Cpu::observe_instructions(bool on) {
  if (on && host_.debugger != nullptr) {
    engine_.set_probe([this](u64 pc) { return host_.debugger->stops_before(pc); });
  } else {
    engine_.set_probe({});
  }
}

/// How far the CPU may run ahead of simulated time: to the end of the quantum, or until the timer's interrupt.
sc_core::sc_time Cpu::horizon() {
  const bool timer_matters = csrs_.interrupts_enabled() && (csrs_.enabled() & MachineCsrs::mie_timer) != 0;
  if (!timer_matters || !timer_forecast_) return quantum_;
  const sc_core::sc_time now = sc_core::sc_time_stamp(), rise = timer_forecast_();
  return rise > now + ahead_ ? std::min(quantum_, rise - now) : quantum_;
}

void Cpu::advance(u64 instructions) {
  const Cycle begin = cycles();
  ahead_ += sc_core::sc_time::from_value(instructions * instruction_time_.value());
  counted_.instructions.add(instructions, begin, cycles());
}

void Cpu::synchronise() {
  if (ahead_ == sc_core::SC_ZERO_TIME) return;
  const sc_core::sc_time time = ahead_;
  ahead_ = sc_core::SC_ZERO_TIME;
  wait(time);
}

void Cpu::settle_lines() {
  synchronise();
  for (unsigned i = 0; i < max_delta_cycles && sc_core::sc_pending_activity_at_current_time(); ++i) {
    wait(sc_core::SC_ZERO_TIME);
  }
  lines_in_doubt_ = false;
}

void Cpu::sleep() {
  settle_lines();
  asleep_since_ = sc_core::sc_time_stamp();
  asleep_.begin(0);
  sleeping_ = true;
  sleep_changed(true);
  while ((pending() & csrs_.enabled()) == 0) wait(lines_changed_);
  sleeping_ = false;
  asleep_.end(counted_.sleep_cycles, cycles_asleep());
  sleep_changed(false);
}

u64 Cpu::cycles() const { return local_time().value() / period_.value(); }

void Cpu::settle() { asleep_.settle(counted_.sleep_cycles, cycles_asleep()); }

// ---------------------------------------------------------------------------------------------------------
// Instructions that the engine leaves to the CPU model

void Cpu::handle_exception(u64 cause) {
  const u64 pc = engine_.pc();
  if (cause == riscv::instruction_access_fault) {
    if (!engine_.mapped(pc) && request_direct_memory(pc)) return;
    return take_exception(cause, pc);
  }
  const u32 instruction = engine_.fetch(pc);
  switch (cause) {
    case riscv::load_misaligned:
    case riscv::store_misaligned:
    case riscv::load_access_fault:
    case riscv::store_access_fault:
      return finish_memory_access(cause, instruction);
    case riscv::illegal_instruction:
      return finish_system_instruction(instruction);
    case riscv::call_from_user:
      return take_exception(riscv::call_from_machine, 0);
    case riscv::breakpoint:
      if (!calls_host(pc)) return take_exception(cause, pc);
      host_.semihosting();
      return retire(pc + riscv::instruction_bytes(instruction));
    default:
      return take_exception(cause, 0);
  }
}

/// A semihosting call is an EBREAK between two shifts that do nothing.
bool Cpu::calls_host(u64 pc) const {
  constexpr u32 before = 0x01f01013, after = 0x40705013;  // slli zero, zero, 31; srai zero, zero, 7
  return host_.semihosting && engine_.fetch(pc) == riscv::instruction_ebreak && engine_.fetch(pc - 4) == before &&
         engine_.fetch(pc + 4) == after;
}

void Cpu::retire(u64 next_pc) {
  engine_.set_pc(next_pc);
  advance(1);
}

void Cpu::finish_memory_access(u64 cause, u32 instruction) {
  const auto access = riscv::decode_memory_access(instruction);
  if (!access) return take_exception(cause, 0);
  const u64 address = engine_.read_register(access->base_register) + static_cast<u64>(access->offset);
  if (address % access->bytes != 0) {
    return take_exception(access->writes() ? riscv::store_misaligned : riscv::load_misaligned, address);
  }
  const u64 fault = access->writes() ? riscv::store_access_fault : riscv::load_access_fault;
  if (!permitted(*access, address)) return take_exception(fault, address);
  const bool is_atomic =
      access->kind == riscv::MemoryAccess::Kind::atomic || access->kind == riscv::MemoryAccess::Kind::load_reserved;
  if (is_atomic) {
    // Atomics work only in memory that the engine has. The first atomic may come before the CPU has asked for direct
    // access to its memory.
    if (!engine_.mapped(address) && request_direct_memory(address)) return;
    return take_exception(fault, address);
  }
  const u64 next_pc = engine_.pc() + riscv::instruction_bytes(instruction);
  std::array<u8, 8> bytes{};
  if (access->writes()) {
    const u64 value = engine_.read_register(access->data_register);
    std::memcpy(bytes.data(), &value, access->bytes);
    if (!transport(tlm::TLM_WRITE_COMMAND, address, bytes.data(), access->bytes)) return take_exception(fault, address);
  } else {
    if (!transport(tlm::TLM_READ_COMMAND, address, bytes.data(), access->bytes)) return take_exception(fault, address);
    u64 value = 0;
    std::memcpy(&value, bytes.data(), sizeof value);
    engine_.write_register(access->data_register, extend(value, access->bytes, access->sign_extend));
  }
  retire(next_pc);
}

void Cpu::finish_system_instruction(u32 instruction) {
  if (instruction == riscv::instruction_mret) {
    advance(1);
    return return_from_trap();
  }
  const auto access = riscv::decode_csr_access(instruction);
  if (access && MachineCsrs::shows_interrupt_lines(access->csr)) settle_lines();
  u64 old = 0;
  if (!access || !csrs_.read(access->csr, csr_state(), old))
    return take_exception(riscv::illegal_instruction, instruction);
  if (access->writes()) {
    const u64 source = access->immediate ? access->source : engine_.read_register(access->source);
    u64 value = source;
    if (access->operation == riscv::CsrAccess::Operation::set) value = old | source;
    if (access->operation == riscv::CsrAccess::Operation::clear) value = old & ~source;
    if (!write_csr(access->csr, value)) return take_exception(riscv::illegal_instruction, instruction);
  }
  engine_.write_register(access->destination, old);
  retire(engine_.pc() + 4);
}

// ---------------------------------------------------------------------------------------------------------
// Traps

u64 Cpu::pending() const {
  return (timer_irq.read() ? MachineCsrs::mie_timer : 0) | (software_irq.read() ? MachineCsrs::mie_software : 0) |
         (external_irq.read() ? MachineCsrs::mie_external : 0);
}

bool Cpu::take_interrupt() {
  if (!csrs_.interrupts_enabled() || csrs_.enabled() == 0) return false;
  if (lines_in_doubt_) settle_lines();
  if ((pending() & csrs_.enabled()) == 0) return false;
  // The line was high when simulated time last advanced; the trap depends on whether it is high now.
  if (ahead_ != sc_core::SC_ZERO_TIME) settle_lines();
  const u64 ready = pending() & csrs_.enabled();
  if (ready == 0) return false;
  ++counted_.interrupts;
  last_exception_ = {};
  u64 cause = riscv::timer_interrupt;
  if ((ready & MachineCsrs::mie_software) != 0) cause = riscv::software_interrupt;
  if ((ready & MachineCsrs::mie_external) != 0) cause = riscv::external_interrupt;
  enter_trap(cause, 0);
  return true;
}

void Cpu::take_exception(u64 cause, u64 value) {
  const u64 pc = engine_.pc();
  if (!csrs_.has_handler()) return halt(cause, value, "there is no trap handler (mtvec is 0)");
  const bool handler_did_nothing = last_exception_.pc != 1 && last_exception_.instructions == instructions();
  if (handler_did_nothing && pc == csrs_.handler()) {
    return halt(cause, value, "this is the first instruction of the trap handler");
  }
  const bool repeated = last_exception_.cause == cause && last_exception_.pc == pc;
  const unsigned repetitions = repeated ? last_exception_.repetitions + 1 : 0;
  if (repetitions >= max_repetitions) {
    return halt(cause, value, "the trap handler keeps trapping there without ever returning");
  }
  last_exception_ = {cause, pc, instructions(), repetitions};
  ++counted_.traps;
  enter_trap(cause, value);
}

void Cpu::enter_trap(u64 cause, u64 value) {
  engine_.set_pc(csrs_.enter_trap(engine_.pc(), cause, value));
  // Entering a trap costs the cycles of one instruction, so that time advances even if the firmware traps forever.
  ahead_ += instruction_time_;
}

void Cpu::return_from_trap() {
  lines_in_doubt_ = true;
  engine_.set_pc(csrs_.leave_trap());
  last_exception_ = {};
}

void Cpu::halt(u64 cause, u64 value, const char* why) {
  if (host_.debugger != nullptr) host_.debugger->halting(cause);
  halt_reason_ = fmt::format("firmware cannot go on: {} (mcause {}) at pc {:#018x}, mtval {:#x}: {}",
                             riscv::cause_text(cause), cause, engine_.pc(), value, why);
}

// ---------------------------------------------------------------------------------------------------------
// Control and status registers

std::optional<u64> Cpu::csr(unsigned number) const {
  u64 value = 0;
  return csrs_.read(number, csr_state(), value) ? std::optional(value) : std::nullopt;
}

bool Cpu::set_csr(unsigned number, u64 value) { return csr(number) && write_csr(number, value); }

MachineCsrs::CpuState Cpu::csr_state() const { return {local_time(), cycles(), instructions(), pending()}; }

bool Cpu::write_csr(unsigned csr, u64 value) {
  const MachineCsrs::Written written = csrs_.write(csr, csr_state(), value);
  if (written == MachineCsrs::Written::interrupts_changed) {
    lines_in_doubt_ = true;
    // With interrupts enabled, the firmware is no longer in a handler.
    if (csrs_.interrupts_enabled()) last_exception_ = {};
  }
  const PhysicalMemoryProtection& protection = csrs_.protection();
  if (written == MachineCsrs::Written::protection_changed && protection.in_force()) {
    engine_.protect(protection.boundaries(), [&protection](u64 address) {
      return protection.rights(address) == PhysicalMemoryProtection::all_rights;
    });
  }
  return written != MachineCsrs::Written::refused;
}

bool Cpu::permitted(const riscv::MemoryAccess& access, u64 address) const {
  using Pmp = PhysicalMemoryProtection;
  unsigned needed = access.writes() ? Pmp::write : Pmp::read;
  if (access.kind == riscv::MemoryAccess::Kind::atomic) needed = Pmp::read | Pmp::write;
  return csrs_.protection().allows(address, access.bytes, needed);
}

// ---------------------------------------------------------------------------------------------------------
// The bus

bool Cpu::transport(tlm::tlm_command command, u64 address, u8* bytes, unsigned length) {
  synchronise();
  ++counted_.bus_accesses;
  tlm::tlm_generic_payload payload;
  sc_core::sc_time delay;
  access(data, payload, command, address, bytes, length, delay);
  ahead_ += delay;
  lines_in_doubt_ = true;
  if (payload.is_dmi_allowed()) request_direct_memory(address);
  return payload.is_response_ok();
}

bool Cpu::request_direct_memory(u64 address) {
  tlm::tlm_generic_payload payload;
  payload.set_command(tlm::TLM_READ_COMMAND);
  payload.set_address(address);
  tlm::tlm_dmi dmi;
  if (!data->get_direct_mem_ptr(payload, dmi) || !dmi.is_read_allowed()) return false;
  const u64 first = dmi.get_start_address(), last = dmi.get_end_address();
  if (address < first || address > last || dmi.get_dmi_ptr() == nullptr) return false;
  return engine_.map(first, last - first + 1, dmi.get_dmi_ptr(), dmi.is_write_allowed()) && engine_.mapped(address);
}

void Cpu::invalidate_direct_memory(sc_dt::uint64 first, sc_dt::uint64 last) { engine_.unmap(first, last); }

}  // namespace bvp
