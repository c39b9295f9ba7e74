// SPDX-License-Identifier: Apache-2.0
// The properties of a machine that prices, areas and traces depend on.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "models/power/area_table.h"
#include "models/power/energy_table.h"
#include "platform/scenario/scenario.h"
#include "platform/soc/soc.h"
#include "platform/trace/tracer.h"

namespace bvp {

[[nodiscard]] MachineSize machine_size(const MachineShape& shape);

[[nodiscard]] Tracer::Tracks trace_tracks(const Soc& soc, bool firmware);

/// The shipped profile or the file that prices the scenario's energy: energy.profile, where "by_machine" has been
/// replaced.
[[nodiscard]] std::string energy_profile(const Scenario& scenario);

/// The reason why the table does not describe the machine: it is calibrated to PEs with another number of lanes, or it
/// prices the DRAM itself although the memory standard is not the default. Otherwise empty.
[[nodiscard]] std::string energy_note(const Scenario& scenario, const EnergyTable& table, const MachineSize& size);
/// The file of the table that a scenario names. @throws InputError  a table of the platform is not there
[[nodiscard]] std::filesystem::path energy_table_file(const Scenario& scenario);
/// The shipped table. @throws InputError  it is not there
[[nodiscard]] std::filesystem::path area_table_file();

/// The table that a scenario names, at its operating point and with its price of DRAM transfers. check_machine() checks
/// whether it fits the machine. @throws InputError  with key and file
[[nodiscard]] EnergyTable load_energy_table(const Scenario& scenario);

/// The shipped table. @throws InputError
[[nodiscard]] AreaTable load_area_table();

/// Square millimetres by component, by the shipped table. @throws InputError
[[nodiscard]] std::map<std::string, double> area_by_component(const SocParameters& parameters);

}  // namespace bvp
