// SPDX-License-Identifier: Apache-2.0
// Follows the commands of the sequencer and finds the critical path of a run: the chain of commands, each of which
// could not start before the one in front of it had ended, that leads to the end of the run.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <tuple>
#include <vector>

#include "models/dma/dma_time.h"
#include "models/sequencer/command_observer.h"
#include "platform/program/command_tags.h"
#include "platform/program/compiled_network.h"

namespace bvp {

class CriticalPath : public CommandObserver {
 public:
  /// Returns the tokens that a semaphore has.
  using Tokens = std::function<u32(u32 semaphore)>;
  /// Returns what the time of the last transfer of a DMA channel was spent on.
  using TransferTime = std::function<DmaTime(u32 channel)>;
  CriticalPath(Tokens tokens, TransferTime transfer_time, const CompiledNetwork& network);

  enum class Work : u8 { kernel, dma_read, dma_write, dma_fill, configuration, firmware };
  static constexpr u32 none = ~u32{0};
  struct Part {
    Work work = Work::firmware;
    u32 task = none;                     // index in the network's tasks; none: of no task
    const KernelInfo* kernel = nullptr;  // of Work::kernel; null: it is none of the network's
    friend bool operator<(const Part& a, const Part& b) {
      return std::tie(a.task, a.work, a.kernel) < std::tie(b.task, b.work, b.kernel);
    }
  };
  struct Cycles {
    Cycle all = 0;
    DmaTime transfers;  ///< what the cycles of transfers were spent on; the sequencer's part is missing in it
  };
  /// The cycles of the path from cycle 0 to `end`, which add up to `end`.
  [[nodiscard]] std::map<Part, Cycles> to(Cycle end) const;

 private:
  void command_started(const Command& command, Cycle cycle) override;
  void command_completed(const Command& command, Cycle cycle) override;
  void kernel_launched(const Command& command, const LaunchPhases& phases, Cycle cycle) override;
  void kernel_failed(const Command& command, Cycle cycle) override;

  struct Node {
    Part part;
    Cycle from = 0;  // the command alone holds up what follows from this cycle on
    Cycle completed = 0;
    Cycle configuration = 0;  // cycles of it before the start in which no kernel ran
    u32 before = none;        // the node without which it could not have started
    DmaTime transfer;         // what its time was spent on, if it is a transfer
  };
  [[nodiscard]] Node describe(const Command& command);
  /// The later of two nodes; either may be none.
  [[nodiscard]] u32 later(u32 a, u32 b) const;
  /// Takes one of `tokens` tokens that the semaphore had. Returns the node that has given it; none: firmware has.
  [[nodiscard]] u32 take(u32 semaphore, u32 tokens);
  /// Ends the oldest open command of the unit. Returns its node.
  u32 close(const Command& command, Cycle cycle);

  const Tokens tokens_;
  const TransferTime transfer_time_;
  CommandTags tags_;
  std::map<TaskStep, const KernelInfo*> by_step_;
  std::vector<Node> nodes_;                              // in the order of their start
  std::array<std::deque<u32>, semaphore_count> givers_;  // of the tokens that are there, oldest first
  struct OfUnit {
    std::vector<u32> open;  // launches may overlap
    u32 last = none;        // the node that ended last
  };
  std::array<OfUnit, unit_index_count> units_;
  u32 last_ = none;  // the node that ended last
};

}  // namespace bvp
