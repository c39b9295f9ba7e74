// SPDX-License-Identifier: Apache-2.0
// Faults on the way between an initiator of the accelerator and the bus.
#pragma once

#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <functional>
#include <systemc>
#include <vector>

#include "models/faults/fault_trigger.h"

namespace bvp {

/// Where an access goes.
struct AccessPlace {
  bool dram = false;
  bool ring = false;  ///< it reads a command
};

class BusFaults : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<BusFaults> from;
  tlm_utils::simple_initiator_socket<BusFaults> to;

  using Locate = std::function<AccessPlace(u64 address)>;

  /// @param triggers  of the faults on this way
  BusFaults(sc_core::sc_module_name name, std::vector<FaultTrigger> triggers, Locate locate);
  ~BusFaults() override;

 private:
  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  u32 debug(tlm::tlm_generic_payload& payload) { return to->transport_dbg(payload); }
  bool direct_memory(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
    return to->get_direct_mem_ptr(payload, dmi);
  }
  void invalidate(sc_dt::uint64 start, sc_dt::uint64 end) { from->invalidate_direct_mem_ptr(start, end); }
  [[nodiscard]] bool concerns(const Fault& fault, const tlm::tlm_generic_payload& payload) const;

  std::vector<FaultTrigger> triggers_;
  const Locate locate_;
};

}  // namespace bvp
