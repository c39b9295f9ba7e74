// SPDX-License-Identifier: Apache-2.0
#include "platform/profile/firmware_log.h"

#include <fmt/format.h>

#include <utility>

#include "platform/profile/trap_entry.h"

namespace bvp {
namespace {

constexpr unsigned csr_mtvec = 0x305, csr_mepc = 0x341, csr_mcause = 0x342, csr_mtval = 0x343;

const char* interrupt_name(u64 cause) {
  switch (cause) {
    case riscv::software_interrupt:
      return "software";
    case riscv::timer_interrupt:
      return "timer";
    default:
      return "external";
  }
}

}  // namespace

FirmwareLog::FirmwareLog(Options options, LoggedCpu cpu, std::function<std::string(u64 pc)> place_of)
    : options_(std::move(options)), cpu_(std::move(cpu)), place_of_(std::move(place_of)) {}

void FirmwareLog::step(u64 pc) {
  const double seconds = now();
  const u32 instruction = cpu_.fetch(pc);
  if (access_) finish_access(pc);
  if (options_.traps && before_ != 1) log_change(pc, seconds);
  if (options_.instructions && is_logged(pc)) {
    const unsigned digits = 2 * riscv::instruction_bytes(instruction);
    const u32 shown = digits == 4 ? instruction & 0xffff : instruction;
    line(seconds, "instruction", fmt::format("{} {:0{}x}", place_of_(pc), shown, digits));
  }
  if (options_.registers && is_logged(pc)) begin_access(pc, instruction, seconds);
  before_ = pc;
  instruction_before_ = instruction;
}

// Within a run of the engine the CPU's time stands still.
double FirmwareLog::now() {
  const u64 time = cpu_.time();
  since_ = time == time_ ? since_ + (before_ == 1 ? 0 : 1) : 0;
  time_ = time;
  return static_cast<double>(time + since_ * cpu_.instruction_time) * cpu_.unit_s;
}

void FirmwareLog::line(double seconds, const char* kind, const std::string& text) const {
  options_.write(fmt::format("{:.9f} {} {}\n", seconds, kind, text));
}

void FirmwareLog::begin_access(u64 pc, u32 instruction, double seconds) {
  const auto access = riscv::decode_memory_access(instruction);
  if (!access) return;
  const u64 address = cpu_.general_register(access->base_register) + static_cast<u64>(access->offset);
  if (options_.register_text(address, 0, access->writes()).empty()) return;
  u64 value = access->writes() ? cpu_.general_register(access->data_register) : 0;
  if (access->bytes < 8) value &= (u64{1} << (8 * access->bytes)) - 1;
  access_ = Access{*access, address, value, pc, seconds};
}

void FirmwareLog::finish_access(u64 pc) {
  const Access access = *std::exchange(access_, std::nullopt);
  const bool faulted = pc == trap_entry(cpu_.csr(csr_mtvec), cpu_.csr(csr_mcause)) && cpu_.csr(csr_mepc) == access.pc;
  u64 value = access.value;
  if (!access.decoded.writes()) value = cpu_.general_register(access.decoded.data_register);
  if (access.decoded.bytes < 8) value &= (u64{1} << (8 * access.decoded.bytes)) - 1;
  line(access.seconds, access.decoded.writes() ? "write" : "read",
       fmt::format("{} by {}{}", options_.register_text(access.address, value, access.decoded.writes()),
                   place_of_(access.pc), faulted ? ": refused" : ""));
}

void FirmwareLog::log_change(u64 pc, double seconds) {
  if (instruction_before_ == riscv::instruction_wfi) line(seconds, "awake", "behind wfi at " + place_of_(before_));
  if (pc == before_ + riscv::instruction_bytes(instruction_before_)) return;
  if (pc == trap_entry(cpu_.csr(csr_mtvec), cpu_.csr(csr_mcause))) {
    const u64 cause = cpu_.csr(csr_mcause), from = cpu_.csr(csr_mepc);
    if (!is_logged(from)) return;
    if ((cause & riscv::interrupt_flag) != 0) {
      line(seconds, "interrupt", fmt::format("{}, at {}", interrupt_name(cause), place_of_(from)));
    } else {
      line(seconds, "trap",
           fmt::format("{} (mcause {}), mtval {:#x}, at {}", riscv::cause_text(cause), cause, cpu_.csr(csr_mtval),
                       place_of_(from)));
    }
  } else if (instruction_before_ == riscv::instruction_mret && is_logged(pc)) {
    line(seconds, "return", "to " + place_of_(pc));
  }
}

}  // namespace bvp
