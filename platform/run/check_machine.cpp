// SPDX-License-Identifier: Apache-2.0
#include "platform/run/check_machine.h"

#include <fmt/format.h>

#include "models/common/simulation_context.h"
#include "platform/power/soc_estimators.h"
#include "platform/run/machine.h"
#include "platform/scenario/input_error.h"
#include "platform/soc/soc.h"

namespace bvp {

namespace {

/// What the table needs to know of the machine's models.
void check_energy(const Scenario& scenario, const Soc& soc, const EnergyTable& energy, const AreaTable& area) {
  MachineSize size = machine_size(scenario.soc);
  size.area_mm2 = area.area(size);
  try {
    energy.check(ActionSampler(attach_estimators(soc)).counts(), size);
  } catch (const EnergyTableError& error) {
    throw InputError(about_key(scenario, "energy.profile", error.what()));
  }
}

void check_records(const Scenario& scenario, const Soc& soc) {
  constexpr double least_window_s = 1e-7;
  const double window_s = scenario.record.power_window_s;
  if (window_s > 0 && window_s < least_window_s) {
    throw InputError(about_key(scenario, "record.power_window_s",
                               fmt::format("found {:g}, expected 0 or at least {:g}", window_s, least_window_s)));
  }
  const auto found = static_cast<u64>(scenario.record.trace_bytes);
  const u64 least = Tracer::least_bytes(trace_tracks(soc, scenario.soc));
  if (scenario.record.trace && found < least) {
    throw InputError(about_key(scenario, "record.trace_bytes",
                               fmt::format("found {}, expected at least {} for the tracks of this SoC", found, least)));
  }
}

}  // namespace

std::unique_ptr<Soc> build_machine(const Scenario& scenario, bool data, const EnergyTable& energy,
                                   const AreaTable& area) {
  try {
    const Soc::Mode mode{scenario.run.fidelity.get() == "fast", data};
    auto soc = std::make_unique<Soc>("soc", scenario.soc, mode);
    check_energy(scenario, *soc, energy, area);
    check_records(scenario, *soc);
    return soc;
  } catch (const sc_core::sc_report& report) {
    throw InputError(fmt::format("{}: soc.{}: {}", scenario.name.get(), report.get_msg_type(), report.get_msg()));
  }
}

void check_machine(const Scenario& scenario) {
  const SimulationContext context;
  static_cast<void>(build_machine(scenario, false, load_energy_table(scenario), load_area_table()));
}

}  // namespace bvp
