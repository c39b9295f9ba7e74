// SPDX-License-Identifier: Apache-2.0
#include "platform/run/firmware_watch.h"

#include <utility>

#include "models/cpu/instruction_time.h"
#include "platform/profile/trap_entry.h"

namespace bvp {
namespace {

constexpr unsigned csr_mtvec = 0x305, csr_mepc = 0x341, csr_mcause = 0x342;

}  // namespace

void FirmwareWatch::attach(Soc& soc, const CpuParameters& parameters, const SymbolTable& symbols) {
  Cpu& cpu = soc.cpu;
  cycle_ = cpu.period().value();
  if (wants_profile_) {
    ProfiledCpu profiled;
    profiled.time = [&cpu] { return cpu.local_time().value(); };
    profiled.instruction_time = instruction_time(parameters).value();
    profiled.asleep = [&cpu, this] { return cpu.sleep_cycles() * cycle_; };
    profiled.fetch = [&cpu](u64 pc) { return cpu.instruction_at(pc); };
    profiled.handler = [&cpu] { return trap_entry(cpu.csr(csr_mtvec).value_or(0), cpu.csr(csr_mcause).value_or(0)); };
    profiled.trapped_from = [&cpu] { return cpu.csr(csr_mepc).value_or(1); };
    profiler_.emplace(std::move(profiled), [&symbols](u64 pc) { return symbols.describe(pc); });
  }
  observed_.time = [&cpu] { return cpu.local_time().value(); };
  observed_.instruction_time = instruction_time(parameters).value();
  observed_.unit_s = sc_core::sc_get_time_resolution().to_seconds();
  observed_.fetch = [&cpu](u64 pc) { return cpu.instruction_at(pc); };
  observed_.general_register = [&cpu](unsigned index) { return cpu.read_register(index); };
  observed_.csr = [&cpu](unsigned number) { return cpu.csr(number).value_or(0); };
  if (log_options_) log_.emplace(*log_options_, observed_, [&symbols](u64 pc) { return symbols.place(pc); });
  cpu.set_debugger(this);
  cpu.observe_instructions(true);
}

void FirmwareWatch::draw(FirmwareSlices::Sinks sinks) {
  slices_.emplace(observed_, register_name_, std::move(sinks));
  profiler_->observe({[this] { slices_->leave(); }, [this](const std::string& name) { slices_->enter(name); }});
}

void FirmwareWatch::detach(Soc& soc) {
  soc.cpu.settle();
  if (slices_) slices_->finish();
  if (profiler_) profiler_->finish();
  soc.cpu.set_debugger(nullptr);
}

bool FirmwareWatch::stops_before(u64 pc) {
  if (slices_) slices_->step(pc);
  if (profiler_) profiler_->step(pc);
  if (coverage_) coverage_->step(pc);
  if (log_) log_->step(pc);
  return false;
}

}  // namespace bvp
