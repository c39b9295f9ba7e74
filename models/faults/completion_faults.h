// SPDX-License-Identifier: Apache-2.0
// Faults on the way of completion messages to the sequencer: 8 bytes at 8 x the number of the DMA channel or of the PE.
#pragma once

#include <tlm_utils/multi_passthrough_target_socket.h>
#include <tlm_utils/simple_initiator_socket.h>

#include <systemc>
#include <vector>

#include "models/faults/fault_trigger.h"

namespace bvp {

class CompletionFaults : public sc_core::sc_module {
 public:
  tlm_utils::multi_passthrough_target_socket<CompletionFaults> from;
  tlm_utils::simple_initiator_socket<CompletionFaults> to;

  /// @param failure  the status word of a message that dma_error has hit
  CompletionFaults(sc_core::sc_module_name name, std::vector<FaultTrigger> triggers, u32 failure);
  ~CompletionFaults() override;

 private:
  void transport(int id, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);

  std::vector<FaultTrigger> triggers_;
  const u32 failure_;
};

}  // namespace bvp
