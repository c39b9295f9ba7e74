// SPDX-License-Identifier: Apache-2.0
// All faults of a run: interposers for the sockets and the line that faults concern, and the bits that turn over at
// times of their own. An SoC without faults has no injector, and nothing stands between its sockets.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <systemc>
#include <vector>

#include "models/base/statistics.h"
#include "models/faults/bus_faults.h"
#include "models/faults/completion_faults.h"
#include "models/faults/interrupt_faults.h"

namespace bvp {

class FaultInjector : public sc_core::sc_module {
 public:
  enum class Memory { dram, scratchpad };
  /// Turns a bit of a byte over. Returns false if the memory is not that large.
  using Flip = std::function<bool(Memory memory, u64 offset, u32 bit)>;

  FaultInjector(sc_core::sc_module_name name, const std::vector<Fault>& faults, StatGroup& parent_stats, Flip flip);
  ~FaultInjector() override;
  SC_HAS_PROCESS(FaultInjector);

  [[nodiscard]] u64 hits() const { return hits_.value(); }
  /// Make the interposers that stand there. Null: no fault concerns that place.
  std::unique_ptr<BusFaults> of_sequencer(const BusFaults::Locate& locate);
  std::unique_ptr<BusFaults> of_dma(const BusFaults::Locate& locate);
  std::unique_ptr<CompletionFaults> of_dma_completions(u32 failure);
  std::unique_ptr<CompletionFaults> of_pe_completions();
  std::unique_ptr<InterruptFaults> of_interrupt();

 private:
  /// The faults of these kinds.
  [[nodiscard]] std::vector<FaultTrigger> triggers(std::initializer_list<FaultKind> kinds);
  void flip_bits();

  std::vector<Fault> faults_;
  const Flip flip_;
  StatGroup stats_;
  Counter hits_{&stats_, "hits", "events",
                "events that faults have hit: accesses, messages, interrupts, flips of bits"};
};

}  // namespace bvp
