// SPDX-License-Identifier: Apache-2.0
#include "platform/run/check_machine.h"

#include <fmt/format.h>

#include "models/common/simulation_context.h"
#include "platform/scenario/input_error.h"
#include "platform/soc/soc.h"

namespace bvp {

void check_machine(const Scenario& scenario) {
  const SimulationContext context;
  try {
    const Soc soc("soc", scenario.soc, {scenario.run.fidelity.get() == "fast", false});
  } catch (const sc_core::sc_report& report) {
    throw InputError(fmt::format("{}: soc.{}: {}", scenario.name.get(), report.get_msg_type(), report.get_msg()));
  }
}

}  // namespace bvp
