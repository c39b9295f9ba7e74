// SPDX-License-Identifier: Apache-2.0
#include "platform/report/terminal_summary.h"

#include <fmt/format.h>

#include <algorithm>

#include "platform/compiler/target.h"
#include "platform/report/derived_figures.h"
#include "platform/report/text_table.h"

namespace bvp {
namespace {

void add_line(std::string& out, const char* label, const std::string& value) {
  out += fmt::format("  {:<18}{}\n", label, value);
}

std::string units_table(const RunResult& result) {
  std::map<std::string, u64> totals;
  for (const auto& [unit, cycles] : result.units) {
    for (const auto& [reason, count] : cycles) totals[reason] += count;
  }
  if (totals.empty()) return {};
  std::vector<std::pair<std::string, u64>> reasons(totals.begin(), totals.end());
  std::stable_sort(reasons.begin(), reasons.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first == "issue", a.second) > std::pair(b.first == "issue", b.second);
  });
  TextTable table({"cycles of the units", "load", "cal", "flow", "store"});
  for (const auto& [reason, total] : reasons) {
    std::vector<std::string> row{reason};
    for (const char* unit : {"load", "cal", "flow", "store"}) {
      const auto cycles = result.units.find(unit);
      u64 all = 0;
      u64 here = 0;
      if (cycles != result.units.end()) {
        for (const auto& [name, count] : cycles->second) {
          all += count;
          if (name == reason) here = count;
        }
      }
      row.push_back(percent(per_second(static_cast<double>(here), static_cast<double>(all))));
    }
    table.add(std::move(row));
  }
  return table.text();
}

std::string energy_table(const RunResult& result) {
  if (result.energy_by_component_j.empty()) return {};
  std::vector<std::pair<std::string, double>> parts(result.energy_by_component_j.begin(),
                                                    result.energy_by_component_j.end());
  std::stable_sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  TextTable table({"energy by component", "energy", "share"});
  for (const auto& [component, energy] : parts) {
    table.add({component, si(energy, "J"), percent(per_second(energy, result.energy_j))});
  }
  return table.text();
}

std::string layers_table(const RunResult& result) {
  if (result.layers.empty()) return {};
  TextTable table({"layer", "cycles", "time", "energy", "DRAM", "load", "cal", "flow", "store", "rel. error"});
  const auto add = [&](std::string name, const LayerRow& row) {
    table.add({std::move(name), grouped(row.cycles), si(row.time_s, "s"), si(row.energy_j, "J"),
               si(static_cast<double>(row.dram_read_bytes + row.dram_written_bytes), "B"),
               percent(row.utilisation.load), percent(row.utilisation.cal), percent(row.utilisation.flow),
               percent(row.utilisation.store), row.relative_error ? fmt::format("{:.2e}", *row.relative_error) : "-"});
  };
  for (const LayerRow& row : result.layers) add(fmt::format("{} {}", row.index, row.mixing), row);
  if (result.outside_of_layers) add("outside of them", *result.outside_of_layers);
  return table.text();
}

std::string kernels_table(const RunResult& result) {
  if (result.kernels.empty()) return {};
  TextTable table(
      {"layer.kernel", "launches", "array cycles", "energy+waits", "load", "cal", "flow", "store", "steady"});
  for (const KernelRow& row : result.kernels) {
    const std::string prefix = "layers.";
    const bool of_layer = row.name.compare(0, prefix.size(), prefix) == 0;
    table.add({of_layer ? row.name.substr(prefix.size()) : row.name, grouped(row.launches), grouped(row.cycles),
               si(row.energy_j, "J"), percent(row.utilisation.load), percent(row.utilisation.cal),
               percent(row.utilisation.flow), percent(row.utilisation.store),
               row.steady ? percent(row.steady->cal) : "-"});
  }
  return table.text();
}

std::string verification_text(const RunResult& result) {
  const Verification& verification = result.verification;
  if (!verification.checked) return "not checked";
  return fmt::format("relative error {:.2e} (allowed {:.2e}), {} the fp16 reference", verification.relative_error,
                     verification.tolerance, verification.bit_exact ? "bit-exact with" : "NOT bit-exact with");
}

std::string utilisation_text(const Utilisation& utilisation) {
  return fmt::format("load {}  cal {}  flow {}  store {}", percent(utilisation.load), percent(utilisation.cal),
                     percent(utilisation.flow), percent(utilisation.store));
}

/// The operating point is named where it is not the profile's own.
std::string profile_text(const RunResult& result) {
  if (!result.energy_scaled) return result.energy_profile;
  return fmt::format("{} at {:g} nm, {:g} V", result.energy_profile, result.energy_technology_nm,
                     result.energy_voltage);
}

std::string dram_text(const RunResult& result) {
  if (result.energy_by_component_j.count("dram") == 0) return "without DRAM";
  const auto& price = result.energy_dram_pj_per_bit;
  return price ? fmt::format("with DRAM at {:g} pJ/bit", *price) : "with DRAM";
}

}  // namespace

std::string summary_table(const RunResult& result) {
  std::string out;
  add_line(out, "scenario", result.scenario);
  add_line(out, "result", result.passed() ? "passed" : "FAILED: " + result.failure);
  add_line(out, "verification", verification_text(result));
  add_line(out, "time", fmt::format("{}, {} cycles", si(result.time_s, "s"), grouped(result.cycles)));
  const double flops_per_s = per_second(static_cast<double>(result.flops), result.time_s);
  add_line(out, "arithmetic",
           fmt::format("{}, {}, {} of the peak of {}", si(static_cast<double>(result.flops), "FLOP"),
                       si(flops_per_s, "FLOP/s"), percent(per_second(flops_per_s, result.peak_flops_per_s)),
                       si(result.peak_flops_per_s, "FLOP/s")));
  add_line(out, "DRAM traffic",
           fmt::format("{} read, {} written", si(static_cast<double>(result.dram_read_bytes), "B"),
                       si(static_cast<double>(result.dram_written_bytes), "B")));
  add_line(out, "energy",
           fmt::format("{}, average power {}{} (profile {}, {})", si(result.energy_j, "J"),
                       si(per_second(result.energy_j, result.time_s), "W"),
                       result.power.windows.empty() ? "" : ", peak " + si(peak_power(result), "W"),
                       profile_text(result), dram_text(result)));
  if (!result.area_by_component_mm2.empty()) {
    std::vector<std::string> parts;
    for (const auto& [component, mm2] : result.area_by_component_mm2) {
      if (mm2 >= 0.5) parts.push_back(fmt::format("{} {:.1f}", component, mm2));
    }
    add_line(out, "area", fmt::format("{:.1f} mm2 estimated ({})", total_area(result), fmt::join(parts, ", ")));
  }
  const ArrayMap& array = result.array;
  const u32 used = CompilerTarget::floor_power_of_two(array.rows) * CompilerTarget::floor_power_of_two(array.columns);
  if (used < array.rows * array.columns) {
    add_line(out, "PEs",
             fmt::format("{} of {} used: kernels take a power of two of rows and of columns", used,
                         array.rows * array.columns));
  }
  add_line(out, "utilisation", utilisation_text(result.utilisation));
  if (result.steady) add_line(out, "  in steady state", utilisation_text(*result.steady));
  add_line(out, "simulation",
           fmt::format(
               "{:.2f} s on the host, {}, {}", result.host_seconds,
               si(per_second(static_cast<double>(result.cycles), result.host_seconds), "cycles/s"),
               si(per_second(static_cast<double>(result.lane_operations), result.host_seconds), "lane operations/s")));
  for (const std::string& part :
       {layers_table(result), kernels_table(result), units_table(result), energy_table(result)}) {
    if (!part.empty()) out += "\n" + part;
  }
  return out;
}

}  // namespace bvp
