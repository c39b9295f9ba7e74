// SPDX-License-Identifier: Apache-2.0
#include "platform/run/machine.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "platform/power/dram_prices.h"
#include "platform/support/input_error.h"
#include "platform/support/resources.h"

namespace bvp {

MachineSize machine_size(const MachineShape& shape) {
  MachineSize size;
  size.pes = shape.pes();
  size.lanes = shape.lanes;
  size.scratchpad_bytes = shape.scratchpad_bytes;
  size.dram_channels = shape.dram_channels;
  size.operand_bytes = shape.operand_bytes();
  size.operand_banks = shape.operand_banks;
  size.operand_ports = shape.operand_ports;
  size.dma_channels = shape.dma_channels;
  size.link_bytes = shape.link_bytes;
  return size;
}

Tracer::Tracks trace_tracks(const Soc& soc, bool firmware) {
  Tracer::Tracks tracks;
  tracks.firmware = firmware;
  if (soc.lockstep) {
    tracks.pes = {"all PEs in lockstep"};
  } else {
    for (std::size_t pe = 0; pe < soc.cores.size(); ++pe) tracks.pes.push_back(fmt::format("PE {}", pe));
  }
  tracks.dma_channels = soc.shape().dma_channels;
  tracks.dram_channels = soc.shape().dram_channels;
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

namespace {

/// The table of a file. A worker of a sweep needs the same one for every point: it is read again only if the file has
/// another size or time of change than the last time.
template <class Table>
Table load_table(const std::filesystem::path& file) {
  struct Known {
    std::filesystem::file_time_type changed;
    std::uintmax_t size;
    Table table;
  };
  static std::map<std::string, Known> known;
  std::error_code no_time, no_size;
  const auto changed = std::filesystem::last_write_time(file, no_time);
  const std::uintmax_t size = std::filesystem::file_size(file, no_size);
  if (no_time || no_size) return Table::load(file);
  const auto entry = known.find(file.string());
  if (entry != known.end() && entry->second.changed == changed && entry->second.size == size)
    return entry->second.table;
  Table table = Table::load(file);
  known.insert_or_assign(file.string(), Known{changed, size, table});
  return table;
}

}  // namespace

EnergyTable load_energy_table(const Scenario& scenario) {
  const EnergyParameters& energy = scenario.energy;
  std::string key = "energy.profile";
  try {
    EnergyTable table = load_table<EnergyTable>(energy_table_file(scenario));
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
    if (energy.dram_pj_per_bit > 0) table = table.with_dram_transfer(energy.dram_pj_per_bit * 1e-12);
    if (scenario.soc.dram.has_ecc()) table = table.with_check_bits("dram");
    if (scenario.soc.scratchpad.ecc.get() == "secded") table = table.with_check_bits("scratchpad");
    return table;
  } catch (const EnergyTableError& error) {
    throw InputError(about_key(scenario, key, error.what()));
  }
}

AreaTable load_area_table() {
  try {
    return load_table<AreaTable>(area_table_file());
  } catch (const EnergyTableError& error) {
    throw InputError(error.what());
  }
}

std::map<std::string, double> area_by_component(const SocParameters& parameters) {
  return load_area_table().area(machine_size(parameters.shape()));
}

}  // namespace bvp
