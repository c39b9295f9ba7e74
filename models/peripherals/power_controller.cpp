// SPDX-License-Identifier: Apache-2.0
#include "models/peripherals/power_controller.h"

namespace bvp {

PowerController::PowerController(sc_core::sc_module_name name, const PowerControllerParameters& parameters,
                                 const ClockDomain& clock, StatGroup& parent_stats)
    : Peripheral(name, parameters, clock, parent_stats),
      clock_wake_(parameters.clock_wake_s, sc_core::SC_SEC),
      retention_wake_(parameters.retention_wake_s, sc_core::SC_SEC),
      array_state_(&bank(), "ARRAY_STATE", 0x00, RegisterAccess::read_write, 0,
                   "The array's power state: 0 on, 1 clock off, 2 retention; other values change nothing. A "
                   "kernel that runs when the clock goes fails."),
      status_(&bank(), "STATUS", 0x04, RegisterAccess::read_only, 0, "The array's present state."),
      ready_(&status_, "READY", 0, 1, "the array is on and has woken", 1) {
  array_state_.on_write([this](u32 value) { request(value); });
  array_state_.on_read([this] { return static_cast<u32>(wanted_); });
  status_.on_read([this] { return ready_.bits(array_ == ArrayPower::on && wanted_ == ArrayPower::on); });
  SC_METHOD(change);
  sensitive << change_;
  dont_initialize();
}

PowerController::~PowerController() = default;

void PowerController::request(u32 value) {
  if (value > static_cast<u32>(ArrayPower::retention)) return;
  const auto state = static_cast<ArrayPower>(value);
  if (state == wanted_) return;
  wanted_ = state;
  sc_core::sc_time after = until_access();
  if (state == ArrayPower::on) after += supply_low_ ? retention_wake_ : clock_wake_;
  change_.cancel();
  change_.notify(after);
}

void PowerController::change() {
  if (array_ == wanted_) return;
  array_ = wanted_;
  if (array_ == ArrayPower::retention) supply_low_ = true;
  if (array_ == ArrayPower::on) supply_low_ = false;
  ++changes_;
  array_changed(array_);
}

}  // namespace bvp
