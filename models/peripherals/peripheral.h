// SPDX-License-Identifier: Apache-2.0
// The common part of all peripherals: registers behind a target socket.
#pragma once

#include <tlm_utils/simple_target_socket.h>

#include <string>
#include <systemc>

#include "models/base/clock.h"
#include "models/base/registers.h"
#include "models/base/statistics.h"
#include "models/peripherals/peripheral_parameters.h"

namespace bvp {

/// Base class of peripherals, which declare their registers in bank().
class Peripheral : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<Peripheral> target;

  [[nodiscard]] const RegisterBank& register_bank() const { return bank_; }
  [[nodiscard]] const StatGroup& statistics() const { return stats_; }

  ~Peripheral() override;

 protected:
  Peripheral(sc_core::sc_module_name name, const PeripheralParameters& parameters, const ClockDomain& clock,
             StatGroup& parent_stats, u32 register_bytes = 4);

  [[nodiscard]] RegisterBank& bank() { return bank_; }
  [[nodiscard]] StatGroup* stats() { return &stats_; }
  /// The delay from now until the register access that is being served takes effect; zero outside of accesses.
  [[nodiscard]] sc_core::sc_time until_access() const { return bank_.access_time() - sc_core::sc_time_stamp(); }

 private:
  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  unsigned debug(tlm::tlm_generic_payload& payload);

  RegisterBank bank_;
  StatGroup stats_;
  Counter accesses_{&stats_, "accesses", "transactions", "register accesses over the bus"};
};

}  // namespace bvp
