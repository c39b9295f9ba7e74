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

FirmwareLog::FirmwareLog(Options options, ObservedCpu cpu, std::function<std::string(u64 pc)> place_of)
    : options_(std::move(options)),
      cpu_(std::move(cpu)),
      place_of_(std::move(place_of)),
      clock_(cpu_),
      accesses_(cpu_, [this](u64 address, bool write) { return !options_.register_text(address, 0, write).empty(); }) {}

void FirmwareLog::step(u64 pc) {
  const double seconds = clock_.begin();
  const u32 instruction = cpu_.fetch(pc);
  if (const auto access = accesses_.ended(pc)) log_access(*access);
  if (options_.traps && before_ != 1) log_change(pc, seconds);
  if (options_.instructions && is_logged(pc)) {
    const unsigned digits = 2 * riscv::instruction_bytes(instruction);
    const u32 shown = digits == 4 ? instruction & 0xffff : instruction;
    line(seconds, "instruction", fmt::format("{} {:0{}x}", place_of_(pc), shown, digits));
  }
  if (options_.registers && is_logged(pc)) accesses_.begin(pc, instruction, seconds);
  before_ = pc;
  instruction_before_ = instruction;
}

void FirmwareLog::line(double seconds, const char* kind, const std::string& text) const {
  options_.write(fmt::format("{:.9f} {} {}\n", seconds, kind, text));
}

void FirmwareLog::log_access(const DeviceAccesses::Access& access) const {
  const bool write = access.decoded.writes();
  line(access.begin_s, write ? "write" : "read",
       fmt::format("{} by {}{}", options_.register_text(access.address, access.value, write), place_of_(access.pc),
                   access.refused ? ": refused" : ""));
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
