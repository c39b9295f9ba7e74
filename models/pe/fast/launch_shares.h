// SPDX-License-Identifier: Apache-2.0
// What is left of the launches under way on each PE of a kernel, where PEs run other iterations than PE 0.
#pragma once

#include <deque>
#include <vector>

#include "models/pe/context/contexts.h"
#include "models/pe/graph/token_graph.h"

namespace bvp {

class LaunchShares {
 public:
  /// What a launch has left to do on one PE.
  struct Share {
    u32 unfinished = 0;  ///< segments that have firings left
    Cycle end = 0;       ///< the end of the last firing of the other segments
  };
  /// A launch, and what each PE has left to do of it.
  struct SharedLaunch {
    Cycle arrival = 0;
    std::vector<Share> of_pe;  ///< empty: all PEs end with the launch
    /// The cycle in which the PE has nothing left to do of the launch, which goes on until `now` at least.
    [[nodiscard]] Cycle end(std::size_t pe, Cycle now) const {
      return of_pe.empty() || of_pe[pe].unfinished != 0 ? now : std::min(of_pe[pe].end, now);
    }
  };

  /// A launch arrives.
  void add(const Context& context, const TokenGraph::Launch& launch);
  /// Resets the oldest launch, none of whose firings has been counted.
  void restart(const Context& context, const TokenGraph::Launch& launch);
  /// The launch with this number, counted since clear().
  [[nodiscard]] SharedLaunch& launch(u64 number) { return launches_[number - first_]; }
  [[nodiscard]] SharedLaunch& front() { return launches_.front(); }
  [[nodiscard]] const SharedLaunch& back() const { return launches_.back(); }
  void pop() {
    launches_.pop_front();
    ++first_;
  }
  /// Forgets all launches, because another kernel becomes active.
  void clear() {
    launches_.clear();
    first_ = 0;
  }
  /// The last firing of a segment of the launch ends at `end` on these PEs.
  void end_segment(u64 number, const std::vector<u32>& pes, Cycle end);

  /// Cycles since `from` and up to now, summed over the PEs, in which a PE has something to do of a launch: from the
  /// arrival of the launch to its end there. Calls come in the order of time and count each cycle once.
  [[nodiscard]] u64 take_active(const Context& context, Cycle from, Cycle now);

 private:
  std::deque<SharedLaunch> launches_;
  u64 first_ = 0;                    // number of launches_.front()
  std::vector<Cycle> active_until_;  // by PE: counted so far
};

}  // namespace bvp
