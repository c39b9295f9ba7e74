// SPDX-License-Identifier: Apache-2.0
#include "platform/metrics/figures.h"

#include <fmt/format.h>

#include "models/abi/records.h"
#include "platform/metrics/derived_figures.h"

namespace bvp {
namespace {

using Json = nlohmann::ordered_json;

Json utilisation_json(const Utilisation& utilisation) {
  return {
      {"load", utilisation.load}, {"cal", utilisation.cal}, {"flow", utilisation.flow}, {"store", utilisation.store}};
}

Json steady_json(const std::optional<Utilisation>& steady) {
  return steady ? utilisation_json(*steady) : Json(nullptr);
}

}  // namespace

namespace {

Json limits_json(const LimitCycles& limits) {
  Json json = Json::object();
  const double all = limits.total();
  for (std::size_t i = 0; i < limit_infos.size(); ++i) {
    json[limit_infos[i].name] = all > 0 ? limits.cycles[i] / all : 0;
  }
  return json;
}

}  // namespace

Json layer_figures(const LayerRow& row) {
  return {{"cycles", row.cycles},
          {"time_s", row.time_s},
          {"energy_j", row.energy_j},
          {"flops", row.flops},
          {"dram_bytes", row.dram_read_bytes + row.dram_written_bytes},
          {"dram_read_bytes", row.dram_read_bytes},
          {"dram_written_bytes", row.dram_written_bytes},
          {"utilisation", utilisation_json(row.utilisation)},
          {"limits", limits_json(row.limits)}};
}

namespace {

Json layer_json(const LayerRow& row) {
  Json json{{"index", row.index}, {"mixing", row.mixing}, {"projections", row.projections}, {"ffn", row.ffn}};
  json.update(layer_figures(row));
  json["relative_error"] = row.relative_error ? Json(*row.relative_error) : Json(nullptr);
  json["row_error"] = row.row_error ? Json(*row.row_error) : Json(nullptr);
  return json;
}

Json kernel_json(const KernelRow& row) {
  return {{"name", row.name},
          {"launches", row.launches},
          {"cycles", row.cycles},
          {"flops", row.flops},
          {"energy_j", row.energy_j},
          {"utilisation", utilisation_json(row.utilisation)},
          {"utilisation_steady", steady_json(row.steady)},
          {"issue_slots", row.issue_slots},
          {"unit_cycles", row.units}};
}

Json region_json(const RegionRow& row) {
  return {{"region", row.region}, {"times", row.times},           {"ended", row.ended},
          {"cycles", row.cycles}, {"time_s", row.time_s},         {"cpu_instructions", row.cpu_instructions},
          {"flops", row.flops},   {"dram_bytes", row.dram_bytes}, {"energy_j", row.energy_j}};
}

/// The denominators of the shares in the summary.
Json share_denominators() {
  return {{"utilisation", "issue slots used over all cycles of the run, on all PEs"},
          {"utilisation_kernels", "issue slots used over kernel_cycles, on all PEs"},
          {"utilisation_steady",
           "issue slots used over the cycles from a unit's first segment of a launch to its last, on the PEs that have "
           "one"},
          {"layers.utilisation", "issue slots used over the layer's cycles, on all PEs"},
          {"kernels.utilisation", "issue slots used over the cycles with the kernel on the array, on all PEs"},
          {"no_kernel_fraction", "cycles without a kernel on the array over all cycles of the run"},
          {"busy", "cycles at work over all cycles of the run"},
          {"limits", "cycles of the critical path over all cycles of the run"},
          {"layers.limits", "cycles of the critical path over those that belong to the layer"},
          {"tasks.limits", "cycles of the critical path over those that belong to the task"},
          {"peak_fraction", "flops_per_s over peak_flops_per_s"}};
}

Json row_error_json(const RowError& row) {
  return {{"error", row.error}, {"tensor", row.tensor}, {"sequence", row.sequence}, {"token", row.token}};
}

Json verification_json(const Verification& verification) {
  const auto checked = [&](Json value) { return verification.checked ? std::move(value) : Json(nullptr); };
  return {{"checked", verification.checked},
          {"bit_exact", checked(verification.bit_exact)},
          {"tolerance", checked(verification.tolerance)},
          {"relative_error", checked(verification.relative_error)},
          {"row_tolerance", checked(verification.row_tolerance)},
          {"row", checked(row_error_json(verification.row))},
          {"end_to_end_tolerance", checked(verification.end_to_end_tolerance)},
          {"end_to_end_error", checked(verification.end_to_end_error)},
          {"end_to_end_row", checked(row_error_json(verification.end_to_end_row))},
          {"end_to_end_logits", verification.logits ? row_error_json(*verification.logits) : Json(nullptr)}};
}

/// null: the run has taken a single batch
Json dataset_json(const RunResult& result) {
  if (!result.dataset) return nullptr;
  const DatasetResult& set = *result.dataset;
  const auto samples = static_cast<double>(set.samples());
  const auto share = [](std::optional<double> value) { return value ? Json(*value) : Json(nullptr); };
  return {{"samples", set.samples()},
          {"batch", set.batch},
          {"accuracy", share(same_share(set.predictions, set.labels))},
          {"reference_accuracy", share(same_share(set.expected, set.labels))},
          {"agreement", share(same_share(set.predictions, set.expected))},
          {"cycles_per_sample", static_cast<double>(result.cycles) / samples},
          {"time_per_sample_s", result.time_s / samples},
          {"energy_per_sample_j", result.energy.total_j / samples}};
}

/// null: the run did not look for them
Json not_finite_json(const NotFiniteResults& found) {
  if (!found.looked) return nullptr;
  Json kernels = Json::array();
  for (const NotFiniteResults::OfKernel& of : found.kernels) {
    kernels.push_back({{"kernel", of.kernel},
                       {"layer", of.layer == layer_none ? Json(nullptr) : Json(of.layer)},
                       {"infinities", of.infinities},
                       {"nans", of.nans},
                       {"first",
                        {{"value", of.value},
                         {"row", of.row},
                         {"rows", of.rows},
                         {"column", of.column},
                         {"columns", of.columns},
                         {"tile", of.tile}}}});
  }
  return {{"infinities", found.infinities}, {"nans", found.nans}, {"kernels", std::move(kernels)}};
}

Json reliability_json(const RunReliability& counts) {
  return {{"fault_hits", counts.fault_hits},
          {"dram_ecc_corrected", counts.dram_corrected},
          {"dram_ecc_detected", counts.dram_detected},
          {"scratchpad_ecc_corrected", counts.scratchpad_corrected},
          {"scratchpad_ecc_detected", counts.scratchpad_detected},
          {"sequencer_errors", counts.sequencer_errors},
          {"protection_violations", counts.protection_violations},
          {"rows_left_out", counts.rows_left_out},
          {"degraded", counts.degraded}};
}

Json array_json(const ArrayMap& map) {
  Json links = Json::array();
  for (const ArrayMap::Link& link : map.links) {
    links.push_back({{"x", link.x},
                     {"y", link.y},
                     {"to_x", link.to_x},
                     {"to_y", link.to_y},
                     {"vectors", link.vectors},
                     {"stall_cycles", link.stall_cycles}});
  }
  return {{"rows", map.rows}, {"columns", map.columns}, {"cal_issue", map.cal_issue}, {"links", links}};
}

double arithmetic(const RunResult& result) { return per_second(static_cast<double>(result.work.flops), result.time_s); }

Json limit_json(const RunResult& result) {
  const std::vector<LimitShare> shares = limit_shares(result.activity.limits);
  if (shares.empty()) return nullptr;
  return {{"resource", shares[0].limit.name},
          {"share", shares[0].share},
          {"parameter", shares[0].limit.parameter},
          {"sentence", limit_sentence(result.activity.limits)}};
}

Json task_json(const TaskRow& row) {
  return {{"name", row.name}, {"cycles", row.limits.total()}, {"limits", limits_json(row.limits)}};
}

template <class Row, class Write>
Json rows(const std::vector<Row>& all, const Write& write) {
  Json json = Json::array();
  for (const Row& row : all) json.push_back(write(row));
  return json;
}

}  // namespace

// This function is long because it is a table: one entry for each figure, in the order of summary.json.
const std::vector<Figure>& figures() {
  static const std::vector<Figure> all{
      {"scenario", "", "name of the run", [](const RunResult& result) { return Json(result.setup.scenario); }},
      {"passed", "", "the run ended as it should and was verified as far as it was asked to be",
       [](const RunResult& result) { return Json(result.passed()); }},
      {"failure", "", "why it has failed, a sentence; empty if all is well",
       [](const RunResult& result) { return Json(result.failure); }},
      {"firmware_exit_code", "", "-1: the firmware has not ended",
       [](const RunResult& result) { return Json(result.firmware_exit_code); }},
      {"fidelity", "", "`cycle` or `fast`", [](const RunResult& result) { return Json(result.setup.fidelity); }},
      {"seed", "", "of weights and input where no file gave them",
       [](const RunResult& result) { return Json(result.setup.seed); }},
      {"cycles", "cycles", "of the accelerator's clock, from reset to the end; its period is in whole picoseconds",
       [](const RunResult& result) { return Json(result.cycles); }},
      {"time_s", "s", "the same in seconds", [](const RunResult& result) { return Json(result.time_s); }},
      {"inferences", "inferences", "how often the firmware's runtime carried out the network, each time a whole batch",
       [](const RunResult& result) { return Json(result.work.inferences); }},
      {"cpu_instructions", "instructions", "that the host CPU executed",
       [](const RunResult& result) { return Json(result.work.cpu_instructions); }},
      {"flops", "FLOP", "arithmetic of the array, lanes and columns of padding included",
       [](const RunResult& result) { return Json(result.work.flops); }},
      {"flops_per_s", "FLOP/s", "the same over `time_s`",
       [](const RunResult& result) { return Json(arithmetic(result)); }},
      {"peak_flops_per_s", "FLOP/s", "of the array, fused multiply-adds counted as two",
       [](const RunResult& result) { return Json(result.peak_flops_per_s); }},
      {"peak_fraction", "1", "`flops_per_s` over `peak_flops_per_s`",
       [](const RunResult& result) { return Json(per_second(arithmetic(result), result.peak_flops_per_s)); }},
      {"lane_operations", "operations", "of the PEs' lanes, as the speed of the simulation is counted",
       [](const RunResult& result) { return Json(result.work.lane_operations); }},
      {"dram_bytes", "bytes",
       "traffic with the DRAM: read by DMA and as kernel images (both in the plan) and as commands; the processor's "
       "direct accesses are not in it",
       [](const RunResult& result) { return Json(result.work.dram_read_bytes + result.work.dram_written_bytes); }},
      {"dram_read_bytes", "bytes", "of `dram_bytes`",
       [](const RunResult& result) { return Json(result.work.dram_read_bytes); }},
      {"dram_written_bytes", "bytes", "of `dram_bytes`",
       [](const RunResult& result) { return Json(result.work.dram_written_bytes); }},
      {"energy_profile", "", "the energy table", [](const RunResult& result) { return Json(result.pricing.profile); }},
      {"energy_note", "",
       "a sentence where the prices of the energy table are extrapolated to this machine, otherwise empty",
       [](const RunResult& result) { return Json(result.pricing.note); }},
      {"energy_technology_nm", "nm", "of the operating point that was priced",
       [](const RunResult& result) { return Json(result.pricing.technology_nm); }},
      {"energy_voltage", "V", "of the operating point that was priced",
       [](const RunResult& result) { return Json(result.pricing.voltage); }},
      {"energy_scaled", "", "the operating point is another than the profile's own",
       [](const RunResult& result) { return Json(result.pricing.scaled); }},
      {"energy_dram_pj_per_bit", "pJ",
       "the price of DRAM transfers, if `energy.dram_pj_per_bit` replaced the profile's; otherwise null",
       [](const RunResult& result) {
         return Json(result.pricing.dram_pj_per_bit ? Json(*result.pricing.dram_pj_per_bit) : Json(nullptr));
       }},
      {"energy_j", "J", "of the whole SoC with its DRAM",
       [](const RunResult& result) { return Json(result.energy.total_j); }},
      {"average_power_w", "W", "`energy_j` over `time_s`",
       [](const RunResult& result) { return Json(per_second(result.energy.total_j, result.time_s)); }},
      {"peak_power_w", "W", "of a window of `power.csv`; null without it",
       [](const RunResult& result) {
         return Json(result.records.power.windows.empty() ? Json(nullptr) : Json(result.records.power.peak_w));
       }},
      {"trace_events_dropped", "events", "that did not fit into `record.trace_bytes`",
       [](const RunResult& result) { return Json(result.records.trace_events_dropped); }},
      {"area_by_component_mm2", "mm2", "[area](../energy.md#area)",
       [](const RunResult& result) { return Json(result.area_by_component_mm2); }},
      {"area_mm2", "mm2", "of all components", [](const RunResult& result) { return Json(total_area(result)); }},
      {"energy_by_component_j", "J", "a view of `energy_j`, as the four that follow: each adds up to it",
       [](const RunResult& result) { return Json(result.energy.by_component_j); }},
      {"energy_by_kernel_j", "J", "a kernel has what happened since the one before completed",
       [](const RunResult& result) { return Json(result.energy.by_kernel_j); }},
      {"energy_by_layer_j", "J", "embedding and classifier head are `(outside of the layers)`",
       [](const RunResult& result) { return Json(result.energy.by_layer_j); }},
      {"energy_by_action_j", "J", "by component, and action or kind of background",
       [](const RunResult& result) { return Json(result.energy.by_action_j); }},
      {"energy_by_power_state_j", "J", "by power state of the array, and the rest of the SoC",
       [](const RunResult& result) { return Json(result.energy.by_power_state_j); }},
      {"power_state_cycles", "cycles", "cycles of all PEs by power state: `active`, `idle`, `gated`, `retention`",
       [](const RunResult& result) { return Json(result.activity.power_state_cycles); }},
      {"kernel_cycles", "cycles", "in which a kernel was on the array",
       [](const RunResult& result) { return Json(result.activity.kernel_cycles); }},
      {"no_kernel_fraction", "1", "cycles without a kernel on the array over all cycles",
       [](const RunResult& result) { return Json(no_kernel(result)); }},
      {"utilisation", "1",
       "issue slots used over all cycles of the run, on all PEs, for `load`, `cal`, `flow`, `store`; in `layers` over "
       "the layer's cycles, in `kernels` over the cycles with the kernel on the array",
       [](const RunResult& result) { return utilisation_json(result.activity.utilisation); }},
      {"utilisation_kernels", "1", "the same over `kernel_cycles`",
       [](const RunResult& result) { return utilisation_json(result.activity.kernel_utilisation); }},
      {"utilisation_steady", "1", "the same without fill and drain of each launch",
       [](const RunResult& result) { return steady_json(result.activity.steady); }},
      {"busy", "1",
       "by part of the machine, the share of all cycles in which it was at work: `cpu` (not asleep), `dma.channelN` "
       "(from a descriptor to its completion), `dram.data_bus`, `bus.to_dram` and `bus.to_scratchpad` (bytes over what "
       "the port carries), `scratchpad.banks`, `sequencer.configuration`, `mesh.busiest_link` (`cycle` only), "
       "`pe.UNIT` (issue, special functions and stalls of all PEs)",
       [](const RunResult& result) { return Json(result.activity.busy_shares); }},
      {"limits", "1",
       "shares of the run's cycles by what the critical path spends them on ([how to read "
       "it](../getting_started.md#what-limits-a-run)); they add up to 1",
       [](const RunResult& result) { return limits_json(result.activity.limits); }},
      {"limited_by", "1",
       "the largest of `limits`: `resource`, `share`, the `parameter` that would shorten it, and a `sentence`",
       [](const RunResult& result) { return limit_json(result); }},
      {"share_denominators", "", "what each of these shares is a share of",
       [](const RunResult&) { return share_denominators(); }},
      {"unit_cycles", "cycles",
       "for each unit, its cycles by what it did or waited for (`issue` = a slot used); they add up to all its cycles",
       [](const RunResult& result) { return Json(result.activity.units); }},
      {"verification", "1",
       "`checked`, `bit_exact` (against the fp16 reference); against fp32 `relative_error` (worst layer, embedding or "
       "logits, each from its own input) and `tolerance`, `row` (the worst single row: `error`, `tensor`, `sequence`, "
       "`token`) and `row_tolerance`; from the network's input on `end_to_end_error`, `end_to_end_row`, "
       "`end_to_end_logits` and `end_to_end_tolerance` ([numerics](../numerics.md#what-a-run-is-held-against))",
       [](const RunResult& result) { return verification_json(result.verification); }},
      {"not_finite", "",
       "`infinities` and `nans` in the results of kernels, and `kernels` that had any with the place of their `first`; "
       "a run that has made one has failed. null without data",
       [](const RunResult& result) { return not_finite_json(result.not_finite); }},
      {"dataset", "",
       "of a run over the samples of `run.dataset`: `samples`, and `batch` of them at a time; `accuracy`, the share "
       "whose "
       "class the firmware predicts; `reference_accuracy`, that of the network in fp32 from its input on, and "
       "`agreement`, the share for which both have the same class (null unless verified); `cycles_per_sample`, "
       "`time_per_sample_s` and `energy_per_sample_j`, those of the whole run over the samples. null without a dataset",
       dataset_json},
      {"fft_zero_padding", "",
       "a sentence where the network's transforms are zero-padded (`network.fft_length`), otherwise null",
       [](const RunResult& result) {
         return Json(result.setup.zero_padding.empty() ? Json(nullptr) : Json(result.setup.zero_padding));
       }},
      {"reliability", "",
       "`fault_hits`: accesses, messages, interrupts and flips of bits that the scenario's faults have hit; words that "
       "the codes of DRAM and scratchpad have corrected, and accesses to words that they could not correct; errors "
       "that "
       "the sequencer has found; accesses that the protection unit has refused; `rows_left_out`, the rows of PEs that "
       "the firmware has left out, and `degraded`, whether the kernels for fewer rows have run then "
       "([faults](../faults.md))",
       [](const RunResult& result) { return reliability_json(result.reliability); }},
      {"layers", "", "such figures for each encoder layer",
       [](const RunResult& result) { return rows(result.layers, layer_json); }},
      {"outside_of_layers", "", "the figures of a layer for embedding and classifier head; null without them",
       [](const RunResult& result) {
         return Json(result.outside_of_layers ? layer_figures(*result.outside_of_layers) : Json(nullptr));
       }},
      {"tasks", "", "for each task that the critical path passes, its `cycles` there, and its `limits`",
       [](const RunResult& result) { return rows(result.tasks, task_json); }},
      {"kernels", "",
       "such figures for each kernel; `cycles` are those with it on the array. Kernels of one image whose launches "
       "overlap share what happens meanwhile in proportion to their iterations",
       [](const RunResult& result) { return rows(result.kernels, kernel_json); }},
      {"regions", "",
       "of each region of interest that firmware marks (`hal/simulation_control.h`): how often it was entered, whether "
       "it ended, and cycles, CPU instructions, operations, DRAM bytes and energy in it. The first 1,024 regions are "
       "kept",
       [](const RunResult& result) { return rows(result.regions, region_json); }},
      {"regions_dropped", "", "how often further regions began",
       [](const RunResult& result) { return Json(result.regions_dropped); }},
      {"array", "",
       "issue slots of Cal by PE (`fast`: one value, the sum over all PEs) and vectors over each link (`fast`: none)",
       [](const RunResult& result) { return array_json(result.activity.array); }},
      {"plan", "", "what the planner decided: tasks with tiles, bytes and expected cycles, kernels with their mapping",
       [](const RunResult& result) { return Json(result.plan); }},
      {"notes", "", "sentences on what was done to the inputs: a prefix left off, numbers rounded",
       [](const RunResult& result) { return Json(result.setup.notes); }},
  };
  return all;
}

}  // namespace bvp
