// SPDX-License-Identifier: Apache-2.0
#include "platform/run/check_machine.h"

#include <fmt/format.h>

#include <cctype>

#include "models/base/simulation_context.h"
#include "platform/power/soc_estimators.h"
#include "platform/run/machine.h"
#include "platform/soc/soc.h"
#include "platform/support/input_error.h"

namespace bvp {

namespace {

/// The properties of the machine's models that the table depends on.
void check_energy(const Scenario& scenario, const Soc& soc, const EnergyTable& energy, const AreaTable& area) {
  MachineSize size = machine_size(soc.shape());
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
  const u64 least = Tracer::least_bytes(trace_tracks(soc, true));
  if (scenario.record.trace && found < least) {
    throw InputError(about_key(scenario, "record.trace_bytes",
                               fmt::format("found {}, expected at least {} for the tracks of this SoC", found, least)));
  }
}

/// The place where the user has given the first parameter of the block that the message names, or else the scenario's
/// file.
std::string place_of(const Scenario& scenario, const std::string& block, const std::string& message) {
  const auto is_in_word = [](char c) { return c == '_' || (std::isalnum(static_cast<unsigned char>(c)) != 0); };
  std::string place = file_of(scenario);
  std::size_t first = message.size();
  for (const auto& [key, given] : scenario.given) {
    if (key.compare(0, block.size() + 1, block + ".") != 0) continue;
    const std::string name = key.substr(block.size() + 1);
    for (std::size_t at = message.find(name); at != std::string::npos; at = message.find(name, at + 1)) {
      const std::size_t end = at + name.size();
      const bool whole =
          (at == 0 || !is_in_word(message[at - 1])) && (end == message.size() || !is_in_word(message[end]));
      if (!whole || at >= first) continue;
      first = at;
      place = given;
    }
  }
  return place;
}

}  // namespace

std::unique_ptr<Soc> build_machine(const Scenario& scenario, bool data, const EnergyTable& energy,
                                   const AreaTable& area) {
  try {
    Soc::Mode mode{scenario.run.fidelity.get() == "fast", data};
    for (const auto& fault : scenario.faults) mode.faults.push_back(fault->value());
    auto soc = std::make_unique<Soc>("soc", scenario.soc, mode);
    check_energy(scenario, *soc, energy, area);
    check_records(scenario, *soc);
    return soc;
  } catch (const sc_core::sc_report& report) {
    const std::string type = report.get_msg_type(), own = "soc.";
    const std::string block = type.compare(0, own.size(), own) == 0 ? type : own + type;
    throw InputError(fmt::format("{}: {}: {}", place_of(scenario, block, report.get_msg()), block, report.get_msg()));
  }
}

void check_machine(const Scenario& scenario) {
  const SimulationContext context;
  static_cast<void>(build_machine(scenario, false, load_energy_table(scenario), load_area_table()));
}

}  // namespace bvp
