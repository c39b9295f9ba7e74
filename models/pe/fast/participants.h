// SPDX-License-Identifier: Apache-2.0
// Which PEs of a kernel take part in a firing of its token graph. PEs with fewer iterations sit some firings out.
#pragma once

#include <vector>

#include "models/pe/context/contexts.h"
#include "models/pe/graph/firing.h"

namespace bvp {

/// PEs by number within the kernel's array; PE 0 always takes part.
struct Participants {
  std::vector<u32> pes;
  std::vector<u32> ending;  ///< those of them for which it is the segment's last firing in the launch; empty if all are
                            ///< alike
  u64 hops = 0;             ///< on the memory plane, of one vector of each of them
  [[nodiscard]] u64 count() const { return pes.size(); }
};

class ParticipantFinder {
 public:
  explicit ParticipantFinder(u32 array_columns) : columns_(array_columns) {}

  /// The PEs that take part in the firing. The result is valid until the next call.
  [[nodiscard]] const Participants& find(const Context& context, const Firing& firing, const LaunchRecord& record);
  /// Forgets the kernel of the last call.
  void forget() { all_of_ = nullptr; }

 private:
  const u32 columns_;
  Participants found_;
  const Context* all_of_ = nullptr;  // found_ has all PEs of this kernel, and none of them ends
};

}  // namespace bvp
