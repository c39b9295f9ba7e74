// SPDX-License-Identifier: Apache-2.0
#include "platform/baselines/comparison.h"

#include <fmt/format.h>

#include <algorithm>

#include "platform/baselines/workload.h"
#include "platform/config/describe_parameter.h"
#include "platform/network/network_json.h"

namespace bvp {

namespace {

using Json = nlohmann::ordered_json;

using Used = std::vector<const ParamBase*>;

/// KEY=VALUE of those of `used` in the group and below that are not at their defaults; `path` is the group's.
void add_changed(const ParameterGroup& group, const std::string& path, const Used& used,
                 std::vector<std::string>& changed) {
  for (const ParamBase* parameter : group.parameters()) {
    if (std::find(used.begin(), used.end(), parameter) == used.end()) continue;
    const ParamValue value = parameter->value();
    if (value == parameter->default_value()) continue;
    changed.push_back(fmt::format("{}.{}={}", path, parameter->name(), value_text(value)));
  }
  for (const ParameterGroup* child : group.groups()) add_changed(*child, path + "." + child->name(), used, changed);
}

/// @param with  the weakest confidence of what the figure follows from beside its own basis
Evidence evidence_of(const BaselineParameters& parameters, const Basis& basis, Confidence with = Confidence::high) {
  // Confidence falls in the order of its declaration.
  Evidence evidence{basis.source, basis.tag, std::max(basis.model, with)};
  for (const ParamBase* parameter : basis.parameters) {
    evidence.confidence = std::max(evidence.confidence, parameter->confidence());
  }
  std::vector<std::string> changed;
  add_changed(parameters, parameters.name(), basis.parameters, changed);
  if (!changed.empty()) evidence.source += fmt::format("; set by the user: {}", fmt::join(changed, ", "));
  return evidence;
}

BaselineRow row_of(const BaselineParameters& parameters, const ComparedRun& run, const BaselineEstimate& estimate) {
  BaselineRow row;
  row.name = estimate.name;
  row.definition = estimate.definition;
  row.time_s = estimate.time_s;
  row.energy_j = estimate.energy_j;
  row.with_dram = estimate.with_dram;
  row.speedup = estimate.time_s / run.time_s;
  const double own = estimate.with_dram ? run.energy_j : run.energy_j - run.dram_energy_j;
  if (estimate.energy_j && estimate.same_point) row.energy_ratio = *estimate.energy_j / own;
  row.time_evidence = evidence_of(parameters, estimate.time);
  Basis of_energy = estimate.energy;
  of_energy.parameters = together(of_energy.parameters, estimate.time.parameters);
  row.energy_evidence = evidence_of(parameters, of_energy, row.time_evidence.confidence);
  return row;
}

}  // namespace

std::vector<BaselineRow> compare_with_baselines(const BaselineParameters& parameters, const ComparedRun& run) {
  const std::vector<KernelWork> own = network_work(run.network, run.form),
                                dense = network_work(dense_counterpart(run.network));
  const Comparand with{run, own, dense, parameters.technology};
  std::vector<BaselineRow> rows;
  for (const auto& machine : parameters.machines) {
    for (const BaselineEstimate& estimate : machine->estimates(with)) {
      rows.push_back(row_of(parameters, run, estimate));
    }
  }
  return rows;
}

WorkDifference work_difference(const Network& first, const Network& other) {
  constexpr std::size_t shown = 8;
  const nlohmann::ordered_json a = network_json(first), b = network_json(other);
  WorkDifference difference;
  const auto add = [&](const std::string& key, const Json& found, const Json& expected, bool comparable) {
    difference.comparable = difference.comparable && comparable;
    if (difference.what.size() < shown) {
      difference.what.push_back(fmt::format("{} {} instead of {}", key, found.is_null() ? "none" : found.dump(),
                                            expected.is_null() ? "none" : expected.dump()));
    } else if (difference.what.size() == shown) {
      difference.what.emplace_back("and more");
    }
  };
  const auto at = [](const Json& json, const std::string& key) { return json.value(key, Json(nullptr)); };
  for (const char* key :
       {"tokens", "hidden", "heads", "ffn", "vocabulary", "patch_values", "embedding_norm", "embedding_projection",
        "padding_mask", "classes", "pooling", "pooler", "norm", "final_norm", "fft_norm", "activation", "epsilon"}) {
    // The others change nothing of the work.
    const std::string name = key;
    const bool work = name != "epsilon" && name != "norm" && name != "fft_norm";
    if (at(a, key) != at(b, key)) add(key, at(b, key), at(a, key), !work);
  }
  if (first.layers.size() != other.layers.size()) {
    add("layers", other.layers.size(), first.layers.size(), false);
    return difference;
  }
  for (std::size_t i = 0; i < first.layers.size(); ++i) {
    for (const char* key : {"mixing", "projections", "ffn"}) {
      const Json &found = b["layers"][i][key], &expected = a["layers"][i][key];
      if (found != expected) add(fmt::format("layers.{}.{}", i, key), found, expected, true);
    }
  }
  return difference;
}

std::string run_title(const ComparedRun& run) {
  return run.directory.empty() ? run.name : fmt::format("{} ({})", run.name, run.directory);
}

std::string energy_text(const ComparedRun& run) {
  return fmt::format("profile {} {} {:g} nm, {:g} V{}{}", run.energy_profile, run.energy_scaled ? "scaled to" : "at",
                     run.energy_technology_nm, run.energy_voltage,
                     run.dram_pj_per_bit ? fmt::format(", DRAM at {:g} pJ/bit", *run.dram_pj_per_bit) : "",
                     run.energy_note.empty() ? "" : "; " + run.energy_note);
}

Json comparison_json(const BaselineParameters& parameters, const ComparedRun& run,
                     const std::vector<BaselineRow>& rows) {
  const auto evidence = [](const Evidence& of) {
    return Json{{"source", of.source}, {"tag", of.tag}, {"confidence", confidence_text(of.confidence)}};
  };
  Json baselines = Json::array();
  for (const BaselineRow& row : rows) {
    baselines.push_back({{"name", row.name},
                         {"definition", row.definition},
                         {"time_s", row.time_s},
                         {"energy_j", row.energy_j ? Json(*row.energy_j) : Json(nullptr)},
                         {"with_dram", row.with_dram},
                         {"speedup", row.speedup},
                         {"energy_ratio", row.energy_ratio ? Json(*row.energy_ratio) : Json(nullptr)},
                         {"time_evidence", evidence(row.time_evidence)},
                         {"energy_evidence", row.energy_j ? evidence(row.energy_evidence) : Json(nullptr)}});
  }
  return {{"name", run.name},
          {"directory", run.directory.empty() ? Json(nullptr) : Json(run.directory)},
          {"sequences", run.sequences()},
          {"time_s", run.time_s},
          {"time_of_a_sequence_s", run.sequence_s()},
          {"energy_j", run.energy_j},
          {"energy_of_a_sequence_j", run.sequence_j()},
          {"energy_without_dram_j", run.energy_j - run.dram_energy_j},
          {"energy_profile", run.energy_profile},
          {"energy_note", run.energy_note},
          {"energy_technology_nm", run.energy_technology_nm},
          {"energy_voltage", run.energy_voltage},
          {"energy_scaled", run.energy_scaled},
          {"energy_dram_pj_per_bit", run.dram_pj_per_bit ? Json(*run.dram_pj_per_bit) : Json(nullptr)},
          {"peak_flops_per_s", run.peak_flops_per_s},
          {"dense_flops", total_flops(network_work(dense_counterpart(run.network)))},
          {"network_flops", total_flops(network_work(run.network, run.form))},
          {"technology", parameters.technology.get()},
          {"baselines", baselines}};
}

}  // namespace bvp
