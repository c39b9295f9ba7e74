// SPDX-License-Identifier: Apache-2.0
// The transfers that are under way in fast mode, and how often the ports that they take hold Cal up.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "models/base/clock.h"
#include "models/isa/kernel.h"
#include "models/pe/cal_unit.h"

namespace bvp {

/// The latest transfers. The accesses of each are spread evenly over its time. Which banks they meet is not followed:
/// an access meets a bank that has no port left beside Cal as often as there are such banks in Cal's schedule.
class TransfersUnderWay {
 public:
  std::array<Cycle, unit_count> last_end{};  ///< of Load, Store: of the firing that began last

  void add(u64 accesses, CycleSpan when) { spans_[next_++ % spans_.size()] = {static_cast<double>(accesses), when}; }

  /// The cycles in which a firing of Cal that begins now is halted. Transfers that begin later are younger and wait
  /// themselves.
  [[nodiscard]] u64 halts(const CalSchedule& schedule, Cycle now) const {
    double accesses = 0;
    for (const Span& span : spans_) {
      const Cycle first = std::max(span.when.begin, now), end = std::min(span.when.end, now + schedule.occupancy);
      if (first >= end) continue;
      accesses +=
          span.accesses * static_cast<double>(end - first) / static_cast<double>(span.when.end - span.when.begin);
    }
    return static_cast<u64>(std::lround(accesses * schedule.full_banks));
  }

 private:
  struct Span {
    double accesses = 0;
    CycleSpan when{};
  };
  std::array<Span, 8> spans_{};  // Load may have several firings under way, Store and Flow one or two
  std::size_t next_ = 0;
};

}  // namespace bvp
