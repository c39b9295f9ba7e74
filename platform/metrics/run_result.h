// SPDX-License-Identifier: Apache-2.0
// The result of a run. All of it depends on the scenario alone, except RunResult::host.
#pragma once

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/base/types.h"
#include "platform/metrics/limits.h"
#include "platform/network/tensors.h"
#include "platform/power/power_trace.h"

namespace bvp {

/// Issue slots used, divided by the cycles of the same period: 0 to 1 for each of the four units of a PE.
struct Utilisation {
  double load = 0;
  double cal = 0;
  double flow = 0;
  double store = 0;
};

/// Maps a reason to cycles of a unit; "issue" counts the slots used. For one unit the entries add up to all its cycles.
using CycleBreakdown = std::map<std::string, u64>;

/// One kernel, summed over all of its launches.
struct KernelRow {
  std::string name;
  u64 launches = 0;
  u64 cycles = 0;  ///< from first issue to last completion, summed over the launches
  u64 flops = 0;
  /// Energy since the completion of the previous kernel, so that waits and transfers are included.
  double energy_j = 0;
  Utilisation utilisation;
  std::optional<Utilisation> steady;            ///< without the fill and the drain of each launch
  std::map<std::string, u64> issue_slots;       ///< unit or class of instruction -> slots
  std::map<std::string, CycleBreakdown> units;  ///< "load", "cal", "flow", "store"
};

/// A region of interest that firmware has marked, summed over all times that it was marked.
struct RegionRow {
  u64 region = 0;
  u64 times = 0;
  bool ended = false;  ///< false: the run ended within the region
  u64 cycles = 0;
  double time_s = 0;
  u64 cpu_instructions = 0, flops = 0, dram_bytes = 0;
  double energy_j = 0;
};

struct LayerRow {
  u64 index = 0;
  std::string mixing, projections, ffn;
  u64 cycles = 0;
  double time_s = 0;
  double energy_j = 0;
  u64 flops = 0;
  u64 dram_read_bytes = 0;
  u64 dram_written_bytes = 0;
  Utilisation utilisation;
  std::optional<double> relative_error;  ///< of the layer's output against the fp32 reference
  std::optional<double> row_error;       ///< of the worst row of that output
  LimitCycles limits;
};

/// One of the tasks into which the compiler has divided the network.
struct TaskRow {
  std::string name;
  LimitCycles limits;
};

/// The largest error of one row of a tensor, and the number of that row.
struct RowError {
  double error = 0;
  std::string tensor;  ///< "layers.3.output"; empty: there is no error at all
  u64 sequence = 0, token = 0;
};

/// Relative errors: Euclidean norm of the difference divided by the norm. For one row, the divisor is the norm of that
/// row or of the median row, whichever is larger.
struct Verification {
  bool checked = false;
  double tolerance = 0;
  double relative_error = 0;  ///< worst layer, embedding or logits against the fp32 reference, each from its own input
  double row_tolerance = 0;
  RowError row;  ///< relative_error of the worst row
  double end_to_end_tolerance = 0;
  double end_to_end_error = 0;     ///< of the last output, against the fp32 reference from the network's input on
  RowError end_to_end_row;         ///< end_to_end_error of the worst row
  std::optional<RowError> logits;  ///< end_to_end_error of the logits of the worst sequence
  bool bit_exact = false;          ///< every output equal to the fp16 reference of the same operation order
};

/// Infinities and NaN that kernels of the platform's runtime have left in the scratchpad (docs/numerics.md).
struct NotFiniteResults {
  struct OfKernel {
    std::string kernel;
    u32 layer = 0;  ///< layer_none if the task is outside of the layers
    u64 infinities = 0, nans = 0;
    /// The first such value: its row and column in the whole matrix, and its tile.
    u64 row = 0, rows = 0, column = 0, columns = 0;
    std::array<u32, 3> tile{};
    std::string value;  ///< "infinity", "-infinity", "NaN"
  };
  bool looked = false;  ///< false: the run was without data
  u64 infinities = 0, nans = 0;
  /// In the order of their first such value: the first kernel has made it, later kernels may only pass it on.
  std::vector<OfKernel> kernels;
};

/// Activity of the parts of the array. In `fast` runs one PE stands for all, and links are not followed.
struct ArrayMap {
  u32 rows = 0, columns = 0;
  u32 used_pes = 0;            ///< PEs that the compiler's kernels use
  std::vector<u64> cal_issue;  ///< by PE, row-major; `fast`: one value, the sum over all PEs
  struct Link {
    u32 x = 0, y = 0, to_x = 0, to_y = 0;
    u64 vectors = 0, stall_cycles = 0;
  };
  std::vector<Link> links;  ///< the links that carried vectors
};

/// The inputs of the run that its reports name.
struct RunSetup {
  std::string scenario;  ///< the name of the run
  std::string fidelity;
  u64 seed = 0;
  std::vector<std::string> notes;  ///< sentences for the user about changes to the inputs
  std::string zero_padding;        ///< a sentence on how the network's transforms are padded; empty: they are not
};

/// The energy table of the run, its operating point and its prices.
struct RunPricing {
  std::string profile;
  std::string note;                       ///< why the profile does not describe this machine; empty: it does
  double technology_nm = 0, voltage = 0;  ///< the operating point at which the energy is priced
  bool scaled = false;                    ///< the operating point is not the profile's own
  std::optional<double> dram_pj_per_bit;  ///< the price of DRAM transfers, if it is not the profile's own
  nlohmann::ordered_json prices;          ///< the prices from which energy and area were computed (prices_json)
};

/// The amounts of work that the whole run has done.
struct RunWork {
  u64 cpu_instructions = 0;
  /// How often the firmware's runtime has carried out the network; each time it computes one batch.
  u64 inferences = 0;
  u64 flops = 0;
  u64 lane_operations = 0;  ///< Cal instructions times lanes
  u64 dram_read_bytes = 0;
  u64 dram_written_bytes = 0;
};

/// What has gone wrong in the run, and what has been done about it.
struct RunReliability {
  u64 fault_hits = 0;  ///< events that the scenario's faults have hit
  u64 dram_corrected = 0, dram_detected = 0, scratchpad_corrected = 0, scratchpad_detected = 0;  ///< by the codes
  u64 sequencer_errors = 0;
  u64 protection_violations = 0;
  std::vector<u32> rows_left_out;  ///< of PEs, at the end of the run
  bool degraded = false;           ///< too few rows are left for the kernels that the network was compiled to
};

/// The energy of the whole SoC with its DRAM. Each of the maps divides the same total in another way.
struct RunEnergy {
  double total_j = 0;
  std::map<std::string, double> by_component_j;
  std::map<std::string, double> by_kernel_j;
  std::map<std::string, double> by_layer_j;
  /// Maps a component to joules by action or kind of background.
  std::map<std::string, std::map<std::string, double>> by_action_j;
  std::map<std::string, double> by_power_state_j;  ///< of the array, and the rest of the SoC
};

/// The cycles in which the parts of the machine were at work, and their shares.
struct RunActivity {
  u64 kernel_cycles = 0;                          ///< cycles in which a kernel was on the array
  Utilisation utilisation;                        ///< over all cycles, on all PEs
  Utilisation kernel_utilisation;                 ///< over kernel_cycles, on all PEs
  std::optional<Utilisation> steady;              ///< over the kernels' steady parts
  std::map<std::string, CycleBreakdown> units;    ///< "load", "cal", "flow", "store"
  std::map<std::string, u64> power_state_cycles;  ///< of all PEs
  std::map<std::string, double> busy_shares;      ///< see busy_shares()
  LimitCycles limits;                             ///< of the whole run
  ArrayMap array;
};

/// The records that the simulation has left beside the figures.
struct RunRecords {
  nlohmann::json statistics;     ///< the statistics tree, see statistics_json()
  std::string statistics_csv;    ///< the statistics tree with units and descriptions
  PowerTrace power;              ///< power over time, if the scenario asks for it
  u64 trace_events_dropped = 0;  ///< slices that were left out to keep the trace below record.trace_bytes
};

/// The values that the network was computed with. They are kept only if they were asked for (RunRequest::keep_tensors).
struct RunData {
  TensorMap tensors;        ///< "patches", "mask", "input", "layers.I.output", "output", "logits"
  TensorMap weights;        ///< the network's parameters
  std::vector<u32> tokens;  ///< token ids, if the network has a vocabulary
};

/// The classes of the samples of run.dataset, in their order.
struct DatasetResult {
  u64 batch = 0;                 ///< samples that the network takes at a time
  std::vector<u32> labels;       ///< of the file
  std::vector<u32> predictions;  ///< that the firmware has found; empty: the run ended before
  std::vector<u32> expected;     ///< by the fp32 reference; empty: the run was not verified

  [[nodiscard]] u64 samples() const { return labels.size(); }
};

/// The time that the run took on the host. It is not determined by the scenario.
struct HostTime {
  double seconds = 0;        ///< of the simulation proper
  double setup_seconds = 0;  ///< weights, compiler, elaboration
  double verify_seconds = 0;
};

struct RunResult {
  RunSetup setup;
  RunPricing pricing;
  nlohmann::ordered_json plan;                          ///< what the planner decided (plan_json)
  std::map<std::string, double> area_by_component_mm2;  ///< at the technology of the area table

  /// Empty if the run ended as it should and was verified; otherwise one sentence with the reason.
  std::string failure;
  int firmware_exit_code = 0;

  u64 cycles = 0;  ///< cycles of the accelerator's clock, from reset to the end of the run
  double time_s = 0;
  double peak_flops_per_s = 0;  ///< peak rate of the array; a fused multiply-add counts as two
  RunWork work;
  RunReliability reliability;
  RunEnergy energy;
  RunActivity activity;

  std::vector<LayerRow> layers;
  std::optional<LayerRow> outside_of_layers;  ///< embedding and classifier head; names no layer
  std::vector<TaskRow> tasks;                 ///< those on the critical path, in the network's order
  std::vector<KernelRow> kernels;
  std::vector<RegionRow> regions;  ///< the first RegionRecorder::max_regions
  u64 regions_dropped = 0;         ///< how often a further one began

  Verification verification;
  NotFiniteResults not_finite;

  std::optional<DatasetResult> dataset;

  RunRecords records;
  RunData data;
  HostTime host;

  [[nodiscard]] bool passed() const { return failure.empty(); }
};

}  // namespace bvp
