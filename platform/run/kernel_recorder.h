// SPDX-License-Identifier: Apache-2.0
// Attributes the amounts of counters to kernels and layers. All that has happened since the completion of the previous
// kernel belongs to the kernel that completes, so the parts add up to the whole. Launches that overlap (only launches
// of one image do) share their amounts: each gets a part in proportion to its iterations.
#pragma once

#include <array>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "models/power/action_counts.h"
#include "models/sequencer/command_observer.h"
#include "platform/program/compiled_network.h"
#include "platform/soc/soc.h"

namespace bvp {

class KernelRecorder : public CommandObserver {
 public:
  KernelRecorder(Soc& soc, const CompiledNetwork& network);

  void command_started(const Command& command, Cycle cycle) override;
  void command_completed(const Command& command, Cycle cycle) override;
  void kernel_launched(const Command& command, const LaunchPhases& phases, Cycle cycle) override;
  void kernel_failed(const Command& command, Cycle cycle) override;

  /// Books what has happened since the last kernel (final stores, the firmware's end) as rest() and to its layer.
  void finish();

  /// Cycles of one unit of the array, summed over the PEs.
  struct UnitCycles {
    u64 issue = 0, special = 0, stall = 0;
    std::array<u64, wait_count> waits{};
    [[nodiscard]] u64 total() const;
    UnitCycles& operator+=(const UnitCycles& other);
  };
  struct Totals {
    u64 cycles = 0;         // for kernels: cycles with the kernel on the array; for layers: the same as booked_cycles
    u64 booked_cycles = 0;  // from completion to completion
    u64 launches = 0;
    u64 operations = 0;
    u64 dram_read = 0, dram_written = 0;
    std::array<UnitCycles, unit_count> units{};
    std::vector<u64> actions;  // see counts()
    void add_actions(const Totals& other);
    /// Of `all` equal parts of this amount, those from `begin` to `end`.
    [[nodiscard]] Totals between(u64 begin, u64 end, u64 all) const;
  };

  /// By kernel name, in the order of first completion.
  [[nodiscard]] const std::vector<std::pair<std::string, Totals>>& kernels() const { return kernels_; }
  [[nodiscard]] const std::map<u32, Totals>& layers() const { return layers_; }
  [[nodiscard]] const Totals& rest() const { return rest_; }
  /// The names of the actions.
  [[nodiscard]] ActionCounts counts(const Totals& totals) const;
  /// How often the firmware's runtime has carried out the network.
  [[nodiscard]] u64 inferences() const { return inferences_; }

 private:
  struct Sample {
    Cycle cycle = 0;
    u64 operations = 0, dram_read = 0, dram_written = 0;
    std::array<UnitCycles, unit_count> units{};
    std::vector<u64> actions;
  };
  [[nodiscard]] Sample sample();
  /// The amounts since the last call, with `kernel_cycles` as the cycles.
  Totals advance(u64 kernel_cycles);
  static void add(Totals& sum, const Totals& part);
  /// Books the amounts up to now for the launches that have completed.
  void close_group(Cycle cycle);

  Soc& soc_;
  CommandTags tags_;
  std::map<TaskStep, const KernelInfo*> by_step_;
  ActionSampler sampler_;
  std::vector<std::array<std::array<const Counter*, wait_count + 3>, unit_count>> unit_counters_;  // [PE][unit]
  std::vector<const Counter*> operation_counters_;
  Sample last_;
  u64 launched_ = 0;       // launches that have not completed
  Cycle group_begin_ = 0;  // cycle in which the first of the overlapping launches was launched
  /// Launches and iterations that the overlapping launches of one kernel have completed so far.
  struct Completed {
    const KernelInfo* kernel;
    u64 launches, iterations;
  };
  std::vector<Completed> group_;
  u32 last_layer_ = 0;
  u64 inferences_ = 0;
  std::vector<std::pair<std::string, Totals>> kernels_;
  std::unordered_map<std::string, std::size_t> kernel_rows_;  // of kernels_, by name
  std::map<u32, Totals> layers_;
  Totals rest_;
};

}  // namespace bvp
