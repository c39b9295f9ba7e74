// SPDX-License-Identifier: Apache-2.0
#include "platform/run/machine.h"

#include <fmt/format.h>

#include <optional>

#include "platform/power/dram_prices.h"
#include "platform/support/input_error.h"
#include "platform/support/resources.h"

namespace bvp {

MachineSize machine_size(const SocParameters& parameters) {
  MachineSize size;
  size.pes = static_cast<u64>(parameters.array.rows * parameters.array.columns);
  size.lanes = static_cast<u64>(parameters.array.lanes.get());
  size.scratchpad_bytes = static_cast<u64>(parameters.scratchpad.size_bytes.get());
  size.dram_channels = static_cast<u64>(parameters.dram.channels.get());
  size.operand_bytes = static_cast<u64>(parameters.pe.operand_vectors.get()) * size.lanes * 2;
  size.operand_banks = static_cast<u64>(parameters.pe.operand_banks.get());
  size.operand_ports = static_cast<u64>(parameters.pe.operand_ports.get());
  size.link_bytes = u64{parameters.mesh.links_per_router()} *
                    parameters.mesh.link_width(static_cast<u32>(parameters.array.lanes.get()) * 2);
  size.dma_channels = static_cast<u64>(parameters.dma.channels.get());
  return size;
}

Tracer::Tracks trace_tracks(const Soc& soc, const SocParameters& parameters) {
  Tracer::Tracks tracks;
  if (soc.lockstep) {
    tracks.pes = {"all PEs in lockstep"};
  } else {
    for (std::size_t pe = 0; pe < soc.cores.size(); ++pe) tracks.pes.push_back(fmt::format("PE {}", pe));
  }
  tracks.dma_channels = static_cast<u32>(parameters.dma.channels);
  tracks.dram_channels = static_cast<u32>(parameters.dram.channels);
  return tracks;
}

std::string energy_profile(const Scenario& scenario) {
  const std::string& profile = scenario.energy.profile;
  if (profile != profile_by_machine) return profile;
  constexpr i64 lean_lanes = 8;  // lanes of the PEs to which silicon_simd8 is calibrated
  return scenario.soc.array.lanes == lean_lanes ? "silicon_simd8" : "silicon";
}

std::string energy_note(const Scenario& scenario, const EnergyTable& table, const MachineSize& size) {
  std::string note;
  if (table.calibrated_lanes() != 0 && table.calibrated_lanes() != static_cast<double>(size.lanes)) {
    note = fmt::format("profile {} is calibrated to PEs of {:g} lanes; for {} lanes it is extrapolated",
                       table.profile(), table.calibrated_lanes(), size.lanes);
  }
  const Param<std::string>& standard = scenario.soc.dram.standard;
  if (standard.get() != dram_standard_names().front() && !is_priced_by(table, dram_standard(standard))) {
    note += fmt::format("{}profile {} has prices of the DRAM itself, which hold whatever the memory standard, here {}",
                        note.empty() ? "" : "; ", table.profile(), standard.get());
  }
  return note;
}

std::filesystem::path energy_table_file(const Scenario& scenario) {
  const std::string profile = energy_profile(scenario);
  const auto file = is_energy_file(profile) ? std::optional<std::filesystem::path>(profile)
                                            : find_resource("models/power/tables/" + profile + ".yaml");
  if (!file) throw InputError(fmt::format("the energy table '{}' was not found", profile));
  return *file;
}

std::filesystem::path area_table_file() {
  const auto table = find_resource("models/power/tables/area.yaml");
  if (!table) throw InputError("the area table (models/power/tables/area.yaml) was not found");
  return *table;
}

EnergyTable load_energy_table(const Scenario& scenario) {
  const EnergyParameters& energy = scenario.energy;
  std::string key = "energy.profile";
  try {
    EnergyTable table = EnergyTable::load(energy_table_file(scenario));
    OperatingPoint point{table.technology_nm(), table.voltage()};
    if (energy.technology_nm > 0 && energy.technology_nm != point.nm) {
      key = "energy.technology_nm";
      point.nm = energy.technology_nm;
    }
    if (energy.voltage > 0 && energy.voltage != point.volt) {
      constexpr double least_volt = 0.4;
      key = "energy.voltage";
      point.volt = energy.voltage;
      if (point.volt < least_volt) {
        throw InputError(
            about_key(scenario, key, fmt::format("found {:g}, expected at least {:g}", point.volt, least_volt)));
      }
    }
    table = with_dram_prices(table.at(point), dram_standard(scenario.soc.dram.standard));
    return energy.dram_pj_per_bit > 0 ? table.with_dram_transfer(energy.dram_pj_per_bit * 1e-12) : table;
  } catch (const EnergyTableError& error) {
    throw InputError(about_key(scenario, key, error.what()));
  }
}

AreaTable load_area_table() {
  try {
    return AreaTable::load(area_table_file());
  } catch (const EnergyTableError& error) {
    throw InputError(error.what());
  }
}

std::map<std::string, double> area_by_component(const SocParameters& parameters) {
  return load_area_table().area(machine_size(parameters));
}

}  // namespace bvp
