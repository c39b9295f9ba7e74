// SPDX-License-Identifier: Apache-2.0
#include "models/faults/fault_injector.h"

#include <algorithm>
#include <utility>

#include "models/base/report.h"

namespace bvp {
namespace {

bool flips_bits(const Fault& fault) {
  return fault.kind == FaultKind::dram_bit_flip || fault.kind == FaultKind::scratchpad_bit_flip;
}

}  // namespace

FaultInjector::FaultInjector(sc_core::sc_module_name name, const std::vector<Fault>& faults, StatGroup& parent_stats,
                             Flip flip)
    : sc_module(name), faults_(faults), flip_(std::move(flip)), stats_(basename()) {
  parent_stats.add(&stats_);
  std::stable_sort(faults_.begin(), faults_.end(), [](const Fault& a, const Fault& b) { return a.time_s < b.time_s; });
  if (std::any_of(faults_.begin(), faults_.end(), flips_bits)) SC_THREAD(flip_bits);
}

FaultInjector::~FaultInjector() = default;

std::vector<FaultTrigger> FaultInjector::triggers(std::initializer_list<FaultKind> kinds) {
  std::vector<FaultTrigger> found;
  for (const Fault& fault : faults_) {
    if (std::find(kinds.begin(), kinds.end(), fault.kind) != kinds.end()) found.emplace_back(fault, hits_);
  }
  return found;
}

namespace {

template <class Interposer, class... Arguments>
std::unique_ptr<Interposer> interposer(const char* name, std::vector<FaultTrigger> triggers, Arguments... arguments) {
  if (triggers.empty()) return nullptr;
  return std::make_unique<Interposer>(name, std::move(triggers), arguments...);
}

}  // namespace

std::unique_ptr<BusFaults> FaultInjector::of_sequencer(const BusFaults::Locate& locate) {
  return interposer<BusFaults>(
      "sequencer_faults",
      triggers({FaultKind::bus_error, FaultKind::slow_dram, FaultKind::corrupt_command, FaultKind::corrupt_image}),
      locate);
}

std::unique_ptr<BusFaults> FaultInjector::of_dma(const BusFaults::Locate& locate) {
  return interposer<BusFaults>("dma_faults", triggers({FaultKind::bus_error, FaultKind::slow_dram}), locate);
}

std::unique_ptr<CompletionFaults> FaultInjector::of_dma_completions(u32 failure) {
  return interposer<CompletionFaults>("dma_completion_faults",
                                      triggers({FaultKind::dma_error, FaultKind::lost_completion}), failure);
}

std::unique_ptr<CompletionFaults> FaultInjector::of_pe_completions() {
  return interposer<CompletionFaults>("pe_completion_faults", triggers({FaultKind::stuck_pe}), 0u);
}

std::unique_ptr<InterruptFaults> FaultInjector::of_interrupt() {
  return interposer<InterruptFaults>(
      "interrupt_faults",
      triggers({FaultKind::interrupt_dropped, FaultKind::interrupt_spurious, FaultKind::interrupt_late}));
}

void FaultInjector::flip_bits() {
  for (const Fault& fault : faults_) {
    if (!flips_bits(fault)) continue;
    const sc_core::sc_time at(fault.time_s, sc_core::SC_SEC);
    if (at > sc_core::sc_time_stamp()) wait(at - sc_core::sc_time_stamp());
    const Memory memory = fault.kind == FaultKind::dram_bit_flip ? Memory::dram : Memory::scratchpad;
    bool done = false;
    for (u32 i = fault.bit; i < fault.bit + fault.bits; ++i) {
      done |= flip_(memory, static_cast<u64>(fault.address) + i / 8, i % 8);
    }
    if (done) ++hits_;
    if (!done)
      report_warning(name(), "the {} has no byte at offset {}",
                     fault.kind == FaultKind::dram_bit_flip ? "DRAM" : "scratchpad", fault.address);
  }
}

}  // namespace bvp
