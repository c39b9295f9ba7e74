// SPDX-License-Identifier: Apache-2.0
// Says which of the events that a fault is about it hits.
#pragma once

#include <systemc>

#include "models/base/statistics.h"
#include "models/faults/fault.h"

namespace bvp {

class FaultTrigger {
 public:
  /// @param hits  counts the events that faults have hit
  FaultTrigger(const Fault& fault, Counter& hits) : fault_(fault), hits_(hits) {}

  [[nodiscard]] const Fault& fault() const { return fault_; }
  /// Whether no later event is hit.
  [[nodiscard]] bool spent() const { return fault_.count != 0 && seen_ >= fault_.nth - 1 + fault_.count; }
  /// An event that the fault is about takes place now. Returns whether it is hit.
  bool hits() {
    if (spent() || sc_core::sc_time_stamp() < sc_core::sc_time(fault_.time_s, sc_core::SC_SEC)) return false;
    if (++seen_ < fault_.nth) return false;
    ++hits_;
    return true;
  }

 private:
  Fault fault_;
  Counter& hits_;
  u64 seen_ = 0;
};

}  // namespace bvp
