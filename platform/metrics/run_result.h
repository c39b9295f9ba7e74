// SPDX-License-Identifier: Apache-2.0
// What a run gives. Everything but the fields named host_* depends on the scenario alone.
#pragma once

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/base/types.h"
#include "platform/network/tensors.h"
#include "platform/power/power_trace.h"

namespace bvp {

/// Issue slots used over the cycles they are taken from, 0 to 1, for the four units of a PE.
struct Utilisation {
  double load = 0;
  double cal = 0;
  double flow = 0;
  double store = 0;
};

/// Reason -> unit cycles, "issue" for the slots used. Over one unit they add up to all its cycles.
using CycleBreakdown = std::map<std::string, u64>;

/// One kernel (a program of the array), over all of its launches.
struct KernelRow {
  std::string name;
  u64 launches = 0;
  u64 cycles = 0;  ///< from first issue to last completion, summed over the launches
  u64 flops = 0;
  double energy_j = 0;  ///< of everything since the kernel completion before: with waits and transfers
  Utilisation utilisation;
  std::optional<Utilisation> steady;            ///< without the fill and the drain of each launch
  std::map<std::string, u64> issue_slots;       ///< unit or class of instruction -> slots
  std::map<std::string, CycleBreakdown> units;  ///< "load", "cal", "flow", "store"
};

/// A region of interest that firmware has marked, summed over the times it did.
struct RegionRow {
  u64 region = 0;
  u64 times = 0;
  bool ended = false;  ///< false: the run ended in it
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
  std::optional<double> relative_error;  ///< of its output against the fp32 reference
  std::optional<double> row_error;       ///< likewise, of the worst row
};

/// An error of one row of a tensor, and which row it is.
struct RowError {
  double error = 0;
  std::string tensor;  ///< "layers.3.output"; empty: there is no error at all
  u64 sequence = 0, token = 0;
};

/// Euclidean norms of differences over norms; of a row, over the norm of that row or of the median row, if larger.
struct Verification {
  bool checked = false;
  double tolerance = 0;
  double relative_error = 0;  ///< worst layer, embedding or logits against the fp32 reference, each from its own input
  double row_tolerance = 0;
  RowError row;  ///< likewise, the worst row
  double end_to_end_tolerance = 0;
  double end_to_end_error = 0;     ///< of the last output, against the fp32 reference from the network's input on
  RowError end_to_end_row;         ///< likewise, the worst row
  std::optional<RowError> logits;  ///< likewise, the logits of the worst sequence
  bool bit_exact = false;          ///< every output equal to the fp16 reference of the same operation order
};

/// Infinities and NaN in what kernels of the platform's runtime have left in the scratchpad (docs/numerics.md).
struct NotFiniteResults {
  struct Of {
    std::string kernel;
    u32 layer = 0;  ///< layer_none outside of the layers
    u64 infinities = 0, nans = 0;
    /// Of the first one: the row and the column of the whole matrix, and the tile.
    u64 row = 0, rows = 0, column = 0, columns = 0;
    std::array<u32, 3> tile{};
    std::string value;  ///< "infinity", "-infinity", "NaN"
  };
  bool looked = false;  ///< false: a run without data
  u64 infinities = 0, nans = 0;
  std::vector<Of> kernels;  ///< in the order of their first one: what the first has made, others pass on
};

/// What the parts of the array did. In `fast` runs one PE stands for all, and links are not followed.
struct ArrayMap {
  u32 rows = 0, columns = 0;
  u32 used_pes = 0;            ///< by the compiler's kernels
  std::vector<u64> cal_issue;  ///< by PE, row-major; `fast`: one value, the sum over all PEs
  struct Link {
    u32 x = 0, y = 0, to_x = 0, to_y = 0;
    u64 vectors = 0, stall_cycles = 0;
  };
  std::vector<Link> links;  ///< those that carried vectors
};

struct RunResult {
  std::string scenario;
  std::string fidelity;
  std::string energy_profile;
  std::string energy_note;                              ///< why the profile is no description of this machine, or empty
  double energy_technology_nm = 0, energy_voltage = 0;  ///< the operating point that was priced
  bool energy_scaled = false;                           ///< it is not the profile's own
  std::optional<double> energy_dram_pj_per_bit;         ///< of DRAM transfers, where it is not the profile's own
  u64 seed = 0;

  std::vector<std::string> notes;  ///< sentences for the user: what was done to the inputs

  /// Empty when the run ended as it should and was verified; otherwise one sentence saying why not.
  std::string failure;
  int firmware_exit_code = 0;

  u64 cycles = 0;  ///< of the accelerator's clock, from reset to the end of the run
  double time_s = 0;
  u64 cpu_instructions = 0;
  u64 inferences = 0;  ///< times that the firmware's runtime carried out the network, a batch each
  u64 flops = 0;
  double peak_flops_per_s = 0;  ///< of the array, fused multiply-adds counted as two
  u64 lane_operations = 0;      ///< Cal instructions times lanes
  u64 dram_read_bytes = 0;
  u64 dram_written_bytes = 0;

  double energy_j = 0;
  std::map<std::string, double> energy_by_component_j;
  std::map<std::string, double> energy_by_kernel_j;
  std::map<std::string, double> energy_by_layer_j;
  /// Component -> action or kind of background.
  std::map<std::string, std::map<std::string, double>> energy_by_action_j;
  std::map<std::string, double> energy_by_power_state_j;  ///< of the array, and the rest of the SoC
  std::map<std::string, u64> power_state_cycles;          ///< of all PEs

  std::map<std::string, double> area_by_component_mm2;  ///< at the area table's technology

  nlohmann::ordered_json prices;  ///< what energy and area were reckoned with (prices_json)

  u64 kernel_cycles = 0;                      ///< cycles in which a kernel was on the array
  Utilisation utilisation;                    ///< over all cycles, on all PEs
  Utilisation kernel_utilisation;             ///< over kernel_cycles, on all PEs
  std::optional<Utilisation> steady;          ///< over the kernels' steady parts
  std::map<std::string, double> busy_shares;  ///< see busy_shares()
  std::map<std::string, CycleBreakdown> units;

  Verification verification;
  NotFiniteResults not_finite;
  std::string zero_padding;  ///< how the network's transforms are padded, a sentence; empty: they are not
  std::vector<LayerRow> layers;
  std::optional<LayerRow> outside_of_layers;  ///< embedding and classifier head; names no layer
  std::vector<KernelRow> kernels;
  std::vector<RegionRow> regions;  ///< the first RegionRecorder::max_regions
  u64 regions_dropped = 0;         ///< how often a further one began
  nlohmann::ordered_json plan;     ///< what the planner decided (plan_json)

  ArrayMap array;
  PowerTrace power;              ///< power over time, if it was asked for
  u64 trace_events_dropped = 0;  ///< for the sake of record.trace_bytes

  nlohmann::json statistics;   ///< the statistics tree, see statistics_json()
  std::string statistics_csv;  ///< the same with units and descriptions

  TensorMap tensors;        ///< "input", "layers.I.output", "output", "logits"; only if they were asked for
  TensorMap weights;        ///< likewise
  std::vector<u32> tokens;  ///< likewise, where the network has a vocabulary

  double host_seconds = 0;        ///< of the simulation proper
  double host_setup_seconds = 0;  ///< weights, compiler, elaboration
  double host_verify_seconds = 0;

  [[nodiscard]] bool passed() const { return failure.empty(); }
};

}  // namespace bvp
