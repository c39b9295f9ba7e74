// SPDX-License-Identifier: Apache-2.0
// A RAM with a fixed latency and direct memory access. See docs/models/ram.md.
#pragma once

#include <tlm_utils/simple_target_socket.h>

#include <systemc>

#include "models/base/clock.h"
#include "models/base/lazy_memory.h"
#include "models/base/statistics.h"
#include "models/memory/ram_parameters.h"

namespace bvp {

class Ram : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<Ram> target;

  Ram(sc_core::sc_module_name name, const RamParameters& parameters, const ClockDomain& clock, StatGroup& parent_stats);
  ~Ram() override;

  [[nodiscard]] u64 size() const { return storage_.size(); }
  [[nodiscard]] const StatGroup& statistics() const { return stats_; }

 private:
  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  unsigned debug(tlm::tlm_generic_payload& payload);
  bool direct_memory(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi);

  void move(tlm::tlm_generic_payload& payload, u64 bytes);

  const sc_core::sc_time latency_;

  StatGroup stats_;
  Counter bytes_read_, bytes_written_;

  LazyMemory storage_;
};

}  // namespace bvp
