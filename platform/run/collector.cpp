// SPDX-License-Identifier: Apache-2.0
#include "platform/run/collector.h"

#include <fmt/format.h>

#include "platform/compiler/target.h"
#include "platform/network/network_json.h"
#include "platform/power/power_states.h"
#include "platform/report/statistics_json.h"
#include "platform/run/busy_shares.h"

namespace bvp {
namespace {

Utilisation utilisation_of(const std::array<KernelRecorder::UnitCycles, unit_count>& units, u64 denominator) {
  const auto share = [&](Unit unit) {
    const auto& cycles = units[static_cast<std::size_t>(unit)];
    return denominator == 0 ? 0.0 : static_cast<double>(cycles.issue) / static_cast<double>(denominator);
  };
  return {share(Unit::load), share(Unit::cal), share(Unit::flow), share(Unit::store)};
}

/// Issue slots used, divided by the cycles from a unit's first segment to its last one: the fill and the drain of each
/// launch are left out.
Utilisation steady_of(const std::array<KernelRecorder::UnitCycles, unit_count>& units) {
  std::array<double, unit_count> share{};
  for (std::size_t i = 0; i < unit_count; ++i) {
    const auto& unit = units[i];
    u64 cycles = unit.total();
    for (const Wait wait : {Wait::launch, Wait::drain, Wait::no_kernel})
      cycles -= unit.waits[static_cast<std::size_t>(wait)];
    share[i] = cycles == 0 ? 0.0 : static_cast<double>(unit.issue) / static_cast<double>(cycles);
  }
  return {share[0], share[1], share[2], share[3]};
}

/// Maps a reason to cycles. Cycles that no PE accounts for (PEs that the kernels leave out, waiting for the slowest PE)
/// are "idle".
std::map<std::string, CycleBreakdown> breakdown_of(const std::array<KernelRecorder::UnitCycles, unit_count>& units,
                                                   u64 all_cycles) {
  std::map<std::string, CycleBreakdown> result;
  for (std::size_t i = 0; i < unit_count; ++i) {
    const auto& unit = units[i];
    CycleBreakdown& row = result[unit_names[i]];
    row["issue"] = unit.issue;
    row["special_function"] = unit.special;
    row["stall"] = unit.stall;
    u64 sum = unit.issue + unit.special + unit.stall;
    for (std::size_t reason = 0; reason < wait_count; ++reason) {
      if (reason == static_cast<std::size_t>(Wait::no_kernel)) continue;
      row[std::string("wait_") + wait_names[reason]] = unit.waits[reason];
      sum += unit.waits[reason];
    }
    row["idle"] = all_cycles > sum ? all_cycles - sum : 0;
  }
  return result;
}

double total_of(const std::map<std::string, double>& parts) {
  double sum = 0;
  for (const auto& [component, joules] : parts) sum += joules;
  return sum;
}

/// Divides cycles of the path with a kernel on the array as the cycles of a Cal unit are divided.
LimitCycles limits_of_kernel(double cycles, const CycleBreakdown& cal) {
  static const std::map<std::string, Limit> of_reason{{"issue", Limit::cal},
                                                      {"special_function", Limit::special_functions},
                                                      {"stall", Limit::operand_latency},
                                                      {"wait_load", Limit::loads},
                                                      {"wait_flow", Limit::links},
                                                      {"wait_compute", Limit::operand_latency},
                                                      {"wait_space", Limit::stores},
                                                      {"wait_drain", Limit::fill_and_drain},
                                                      {"wait_launch", Limit::fill_and_drain},
                                                      {"idle", Limit::idle_pes}};
  LimitCycles limits;
  double all = 0;
  for (const auto& [reason, count] : cal) all += static_cast<double>(count);
  if (all == 0) limits[Limit::fill_and_drain] = cycles;
  for (const auto& [reason, count] : cal) {
    if (all > 0) limits[of_reason.at(reason)] += cycles * static_cast<double>(count) / all;
  }
  return limits;
}

/// Makes one pass over the measurements; every function fills in some parts of the result.
class Collector {
 public:
  Collector(const Measurements& measured, RunResult& result)
      : measured_(measured), result_(result), clock_hz_(measured.soc.clock().hertz()), shape_(measured.soc.shape()) {}

  void collect() {
    collect_totals();
    collect_array();
    collect_regions();
    collect_whole_run();
    collect_kernels();
    collect_layers();
    collect_limits();
  }

 private:
  void collect_totals() {
    const Soc& soc = measured_.soc;
    result_.cycles = soc.clock().now();
    result_.time_s = static_cast<double>(result_.cycles) / clock_hz_;
    result_.work.cpu_instructions = soc.cpu.instructions();
    result_.peak_flops_per_s = 2.0 * static_cast<double>(shape_.pes()) * static_cast<double>(shape_.lanes) * clock_hz_;
    result_.work.dram_read_bytes = soc.dram.statistics().bytes_read.value();
    result_.work.dram_written_bytes = soc.dram.statistics().bytes_written.value();
    result_.records.statistics = statistics_json(soc.statistics());
    result_.records.statistics_csv = statistics_csv(soc.statistics());
    result_.work.inferences = measured_.kernels.inferences();
    collect_reliability();
  }

  void collect_reliability() {
    const Soc& soc = measured_.soc;
    RunReliability& counts = result_.reliability;
    if (soc.faults) counts.fault_hits = soc.faults->injector->hits();
    counts.dram_corrected = soc.dram.ecc_corrected();
    counts.dram_detected = soc.dram.ecc_detected();
    counts.scratchpad_corrected = soc.scratchpad.ecc_corrected();
    counts.scratchpad_detected = soc.scratchpad.ecc_detected();
    counts.sequencer_errors = soc.sequencer.errors();
    counts.protection_violations = soc.protection.violations();
    const RowMap& rows = soc.sequencer.rows();
    for (u32 row = 0; row < shape_.rows; ++row) {
      if ((rows.left_out() >> row & 1) != 0) counts.rows_left_out.push_back(row);
    }
    counts.degraded =
        CompilerTarget::floor_power_of_two(rows.count()) < CompilerTarget::floor_power_of_two(shape_.rows);
  }

  void collect_array() {
    const Soc& soc = measured_.soc;
    ArrayMap& map = result_.activity.array;
    map.rows = shape_.rows;
    map.columns = shape_.columns;
    map.used_pes = CompilerTarget::floor_power_of_two(map.rows) * CompilerTarget::floor_power_of_two(map.columns);
    for (const PeStatus* pe : soc.cores) map.cal_issue.push_back(pe->issue_slots(Unit::cal));
    if (soc.lockstep) return;
    static constexpr std::array<std::pair<int, int>, 8> moves{
        {{1, 0}, {-1, 0}, {0, 1}, {0, -1}, {2, 0}, {-2, 0}, {0, 2}, {0, -2}}};  // in the order of LinkDirection
    for (u32 y = 0; y < map.rows; ++y) {
      for (u32 x = 0; x < map.columns; ++x) {
        for (std::size_t i = 0; i < moves.size(); ++i) {
          const auto direction = static_cast<LinkDirection>(i);
          const u64 vectors = soc.mesh.link_vectors(x, y, direction);
          if (vectors == 0) continue;
          map.links.push_back({x, y, x + static_cast<u32>(moves[i].first), y + static_cast<u32>(moves[i].second),
                               vectors, soc.mesh.link_stall_cycles(x, y, direction)});
        }
      }
    }
  }

  [[nodiscard]] double energy_of(const ActionCounts& counts, u64 cycles) const {
    const ArrayTime time = array_time(counts, measured_.size, cycles, clock_hz_);
    return total_of(measured_.table.price(counts, measured_.size)) +
           total_of(measured_.table.static_energy(measured_.size, time));
  }
  [[nodiscard]] double energy_of(const KernelRecorder::Totals& totals, u64 cycles) const {
    return energy_of(measured_.kernels.counts(totals), cycles);
  }

  void collect_regions() {
    const RegionRecorder& regions = measured_.regions;
    result_.regions_dropped = regions.dropped();
    for (const auto& [region, totals] : regions.regions()) {
      result_.regions.push_back({region, totals.times, totals.ended, totals.cycles,
                                 static_cast<double>(totals.cycles) / clock_hz_, totals.cpu_instructions,
                                 totals.operations, totals.dram_bytes,
                                 energy_of(regions.counts(totals), totals.cycles)});
    }
  }

  void collect_whole_run() {
    KernelRecorder::Totals all;
    for (const auto& [layer, totals] : measured_.kernels.layers()) {
      all.add_actions(totals);
      all.cycles += totals.cycles;
      all.operations += totals.operations;
      for (std::size_t i = 0; i < unit_count; ++i) all.units[i] += totals.units[i];
    }
    collect_energy(measured_.kernels.counts(all), all.cycles);
    result_.energy.total_j = total_of(result_.energy.by_component_j);
    result_.work.flops = all.operations;
    result_.work.lane_operations = all.units[static_cast<std::size_t>(Unit::cal)].issue * shape_.lanes;
  }

  /// The figures that need only the run as a whole.
  void collect_energy(const ActionCounts& counts, u64 cycles) {
    const MachineSize& size = measured_.size;
    const EnergyTable& table = measured_.table;
    result_.energy.by_action_j = table.price_by_action(counts, size);
    result_.energy.by_component_j = table.price(counts, size);
    const ArrayTime time = array_time(counts, size, cycles, clock_hz_);
    for (const auto& [component, kinds] : table.static_by_kind(size, time)) {
      for (const auto& [kind, joules] : kinds) result_.energy.by_action_j[component][kind] = joules;
    }
    for (const auto& [component, joules] : table.static_energy(size, time)) {
      result_.energy.by_component_j[component] += joules;
    }
    result_.energy.by_power_state_j = energy_by_power_state(table, counts, size, cycles, clock_hz_);
    result_.activity.power_state_cycles = power_state_cycles(counts);
  }

  void collect_kernels() {
    std::array<KernelRecorder::UnitCycles, unit_count> on_array{};
    for (const auto& [name, totals] : measured_.kernels.kernels()) {
      KernelRow row;
      row.name = name;
      row.launches = totals.launches;
      row.cycles = totals.cycles;
      row.flops = totals.operations;
      row.energy_j = energy_of(totals, totals.booked_cycles);
      row.utilisation = utilisation_of(totals.units, totals.cycles * shape_.pes());
      row.steady = steady_of(totals.units);
      row.units = breakdown_of(totals.units, totals.cycles * shape_.pes());
      for (std::size_t i = 0; i < unit_count; ++i) {
        row.issue_slots[unit_names[i]] = totals.units[i].issue;
        on_array[i] += totals.units[i];
      }
      result_.energy.by_kernel_j[name] = row.energy_j;
      result_.activity.kernel_cycles += totals.cycles;
      result_.kernels.push_back(std::move(row));
    }
    const KernelRecorder::Totals rest = measured_.kernels.rest();
    result_.energy.by_kernel_j["(after the last kernel)"] = energy_of(rest, rest.booked_cycles);
    result_.activity.utilisation = utilisation_of(on_array, result_.cycles * shape_.pes());
    result_.activity.kernel_utilisation = utilisation_of(on_array, result_.activity.kernel_cycles * shape_.pes());
    result_.activity.steady = steady_of(on_array);
    result_.activity.units = breakdown_of(on_array, result_.cycles * shape_.pes());
    result_.activity.busy_shares =
        busy_shares(measured_.soc, measured_.scenario.soc, result_.cycles, result_.activity.units);
  }

  void collect_layers() {
    const Network& network = measured_.scenario.network;
    for (const auto& [layer, totals] : measured_.kernels.layers()) {
      LayerRow row;
      row.cycles = totals.cycles;
      row.time_s = static_cast<double>(totals.cycles) / clock_hz_;
      row.flops = totals.operations;
      row.dram_read_bytes = totals.dram_read;
      row.dram_written_bytes = totals.dram_written;
      row.energy_j = energy_of(totals, totals.cycles);
      row.utilisation = utilisation_of(totals.units, totals.cycles * shape_.pes());
      if (layer == layer_none) {
        result_.energy.by_layer_j["(outside of the layers)"] = row.energy_j;
        result_.outside_of_layers = std::move(row);
        continue;
      }
      row.index = layer;
      const EncoderLayer& description = network.layers[layer];
      row.mixing = name_of(description.mixing);
      row.projections = description.projections == LinearKind::dense ? "dense" : "butterfly";
      row.ffn = description.ffn == LinearKind::dense ? "dense" : "butterfly";
      result_.energy.by_layer_j[fmt::format("layers.{}", layer)] = row.energy_j;
      result_.layers.push_back(std::move(row));
    }
  }

  [[nodiscard]] LimitCycles limits_of(const CriticalPath::Part& part, const CriticalPath::Cycles& spent) const {
    const auto cycles = static_cast<double>(spent.all);
    using Work = CriticalPath::Work;
    static const std::map<Work, Limit> of_work{{Work::dma_read, Limit::dma_reads},
                                               {Work::dma_write, Limit::dma_writes},
                                               {Work::dma_fill, Limit::dma_fills},
                                               {Work::configuration, Limit::configuration},
                                               {Work::firmware, Limit::firmware}};
    if (const auto limit = of_work.find(part.work); limit != of_work.end()) {
      LimitCycles limits;
      const DmaTime& transfers = spent.transfers;
      limits[Limit::dma_setup] = transfers.setup;
      limits[Limit::dma_path] = transfers.path;
      limits[Limit::dram_bus] = transfers.bus;
      limits[Limit::dram_rows] = transfers.rows;
      limits[limit->second] = cycles - limits.total();
      return limits;
    }
    for (const KernelRow& row : result_.kernels) {
      if (part.kernel != nullptr && row.name == part.kernel->name) return limits_of_kernel(cycles, row.units.at("cal"));
    }
    // Kernels that are not the network's have no rows: they are divided as all that the PEs have done.
    std::array<KernelRecorder::UnitCycles, unit_count> units{};
    for (const auto& [layer, totals] : measured_.kernels.layers()) {
      for (std::size_t i = 0; i < unit_count; ++i) units[i] += totals.units[i];
    }
    return limits_of_kernel(cycles, breakdown_of(units, 0).at("cal"));
  }

  void collect_limits() {
    const std::vector<TaskInfo>& tasks = measured_.network.tasks;
    std::map<u32, LimitCycles> by_task;
    for (const auto& [part, cycles] : measured_.path.to(result_.cycles)) {
      const LimitCycles limits = limits_of(part, cycles);
      result_.activity.limits += limits;
      if (part.task < tasks.size()) by_task[part.task] += limits;
    }
    for (const auto& [task, limits] : by_task) {
      result_.tasks.push_back({tasks[task].name, limits});
      const u32 layer = tasks[task].layer;
      if (layer == layer_none && result_.outside_of_layers) result_.outside_of_layers->limits += limits;
      for (LayerRow& row : result_.layers) {
        if (row.index == layer) row.limits += limits;
      }
    }
  }

  const Measurements& measured_;
  RunResult& result_;
  const double clock_hz_;  // frequency of the accelerator's clock, as simulated
  const MachineShape& shape_;
};

}  // namespace

void collect(const Measurements& measured, RunResult& result) { Collector(measured, result).collect(); }

}  // namespace bvp
