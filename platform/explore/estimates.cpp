// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/estimates.h"

#include "platform/run/compile_scenario.h"
#include "platform/run/machine.h"

namespace bvp {
namespace {

double area_mm2(const Scenario& scenario) {
  double area = 0;
  for (const auto& [component, mm2] : area_by_component(scenario.soc)) area += mm2;
  return area;
}

double predicted_cycles(const Scenario& scenario) {
  double cycles = 0;
  for (const TaskInfo& task : plan_scenario(scenario).tasks) cycles += static_cast<double>(task.predicted_cycles);
  return cycles;
}

double peak_flops_per_s(const Scenario& scenario) {
  const MachineShape shape = scenario.soc.shape();
  return 2.0 * shape.pes() * shape.lanes * scenario.soc.array.clock_hz;
}

double dram_bytes_per_s(const Scenario& scenario) {
  const DramParameters& dram = scenario.soc.dram;
  return dram.geometry.bytes_per_clock() * dram.geometry.clock_hz;
}

}  // namespace

const std::vector<Estimate>& estimates() {
  static const std::vector<Estimate> all{
      {"estimate.area_mm2", "mm2", "the area of all components, by the shipped table; it equals that of a run",
       area_mm2},
      {"estimate.cycles", "cycles", "what the planner expects of all tasks, without contention and start-up",
       predicted_cycles},
      {"estimate.time_s", "s", "the same at the clock of the array",
       [](const Scenario& scenario) { return predicted_cycles(scenario) / scenario.soc.array.clock_hz; }},
      {"estimate.peak_flops_per_s", "FLOP/s", "what the array does at most, a fused multiply-add counted as two",
       peak_flops_per_s},
      {"estimate.dram_bytes_per_s", "bytes/s", "what the data buses of the DRAM carry at most", dram_bytes_per_s},
  };
  return all;
}

const Estimate* find_estimate(const std::string& name) {
  for (const Estimate& estimate : estimates()) {
    if (estimate.name == name) return &estimate;
  }
  return nullptr;
}

}  // namespace bvp
