// SPDX-License-Identifier: Apache-2.0
// Several SystemC simulations one after another in one process.
#pragma once

#include <memory>
#include <systemc>

namespace bvp {

/// Owns a fresh SystemC context while it lives and makes it the current one. Build modules after it and
/// destroy them before it. Contexts may not nest.
class SimulationContext {
 public:
  SimulationContext()
      : previous_(sc_core::sc_curr_simcontext),
        previous_default_(sc_core::sc_default_global_context),
        context_(std::make_unique<sc_core::sc_simcontext>()) {
    sc_core::sc_curr_simcontext = context_.get();
    sc_core::sc_default_global_context = context_.get();
    // SystemC warns when nothing happened in an sc_start(). The warning means nothing here: runs advance in slices, and
    // tests elaborate with one call.
    sc_core::sc_report_handler::set_actions(sc_core::SC_ID_NO_SC_START_ACTIVITY_, sc_core::SC_DO_NOTHING);
  }
  ~SimulationContext() {
    context_.reset();
    sc_core::sc_curr_simcontext = previous_;
    sc_core::sc_default_global_context = previous_default_;
  }
  SimulationContext(const SimulationContext&) = delete;
  SimulationContext& operator=(const SimulationContext&) = delete;

 private:
  sc_core::sc_simcontext* previous_;
  sc_core::sc_simcontext* previous_default_;
  std::unique_ptr<sc_core::sc_simcontext> context_;
};

}  // namespace bvp
