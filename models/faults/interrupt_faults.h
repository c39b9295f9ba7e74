// SPDX-License-Identifier: Apache-2.0
// Faults of an interrupt line.
#pragma once

#include <systemc>
#include <vector>

#include "models/faults/fault_trigger.h"

namespace bvp {

class InterruptFaults : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> in;
  sc_core::sc_out<bool> out;

  InterruptFaults(sc_core::sc_module_name name, std::vector<FaultTrigger> triggers);
  ~InterruptFaults() override;
  SC_HAS_PROCESS(InterruptFaults);

 private:
  void changed();
  void raise_late();
  void raise_spuriously();
  void update() { out.write((in.read() && !held_) || spurious_); }

  std::vector<FaultTrigger> triggers_;
  bool held_ = false;      // the line is raised and does not get through
  bool spurious_ = false;  // a fault raises it
  sc_core::sc_event late_;
};

}  // namespace bvp
