// SPDX-License-Identifier: Apache-2.0
// Power controller: firmware sets the power state of the array through it. See docs/models/power_controller.md.
#pragma once

#include "models/base/power_state.h"
#include "models/base/signal.h"
#include "models/peripherals/peripheral.h"

namespace bvp {

class PowerController : public Peripheral {
 public:
  PowerController(sc_core::sc_module_name name, const PowerControllerParameters& parameters, const ClockDomain& clock,
                  StatGroup& parent_stats);
  ~PowerController() override;
  SC_HAS_PROCESS(PowerController);

  Signal<ArrayPower> array_changed;  ///< emitted when the array's state has changed; waking ends with `on`
  [[nodiscard]] ArrayPower array() const { return array_; }

 private:
  void request(u32 value);
  void change();

  const sc_core::sc_time clock_wake_, retention_wake_;
  ArrayPower array_ = ArrayPower::on;
  ArrayPower wanted_ = ArrayPower::on;
  bool supply_low_ = false;  // set by retention and cleared only by waking
  sc_core::sc_event change_;

  Register array_state_;
  Register status_;
  RegisterField ready_;
  Counter changes_{stats(), "changes", "changes", "changes of the array's power state"};
};

}  // namespace bvp
