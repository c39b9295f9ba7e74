// SPDX-License-Identifier: Apache-2.0
// Looks for infinities and NaN in the results that kernels leave in the scratchpad.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "models/sequencer/command_observer.h"
#include "platform/metrics/run_result.h"
#include "platform/program/compiled_network.h"
#include "platform/soc/soc.h"

namespace bvp {

/// When a launch of the runtime completes, and before anything can change its results, the recorder checks the rows and
/// columns that have a meaning (KernelInfo::results), but not the padding.
class NotFiniteRecorder : public CommandObserver {
 public:
  NotFiniteRecorder(Soc& soc, const CompiledNetwork& network);

  void command_started(const Command& command, Cycle cycle) override;
  void command_completed(const Command& command, Cycle cycle) override;
  void kernel_launched(const Command& command, const LaunchPhases& phases, Cycle cycle) override;

  [[nodiscard]] const NotFiniteResults& found() const { return found_; }

 private:
  struct Launched {
    const KernelInfo* kernel;
    const TaskInfo* task;
    u64 completed = 0;  // launches of this step
  };
  void look_through(const KernelResult& result, u64 base, const Launched& launched, const std::array<u32, 3>& tile);
  NotFiniteResults::OfKernel& entry(const KernelInfo& kernel);

  Soc& soc_;
  CommandTags tags_;
  std::map<TaskStep, Launched> by_step_;
  NotFiniteResults found_;
  std::vector<u8> bytes_;  // of the present result
};

/// A sentence on the place of the first one, for the message of the run's failure.
[[nodiscard]] std::string first_not_finite(const NotFiniteResults& found);

}  // namespace bvp
