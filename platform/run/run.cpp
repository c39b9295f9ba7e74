// SPDX-License-Identifier: Apache-2.0
#include "platform/run/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "models/base/simulation_context.h"
#include "platform/network/network_json.h"
#include "platform/reference/float_reference.h"
#include "platform/report/plan_report.h"
#include "platform/report/prices_json.h"
#include "platform/run/check_machine.h"
#include "platform/run/collector.h"
#include "platform/run/dataset_recorder.h"
#include "platform/run/loader.h"
#include "platform/run/machine.h"
#include "platform/run/report_handler.h"
#include "platform/run/session.h"
#include "platform/run/stopwatch.h"
#include "platform/run/verifier.h"
#include "platform/soc/soc.h"
#include "platform/support/resources.h"

namespace bvp {

namespace {

/// The part of the result that is known before the simulation.
RunResult describe_run(const Scenario& scenario, const EnergyTable& table, const AreaTable& area,
                       const MachineSize& size, const RunInputs& inputs) {
  RunResult result;
  result.setup.scenario = scenario.name;
  result.setup.fidelity = scenario.run.fidelity;
  result.pricing.profile = energy_profile(scenario);
  result.pricing.note = energy_note(scenario, table, size);
  result.pricing.scaled = table.scaled();
  result.pricing.technology_nm = table.technology_nm();
  result.pricing.voltage = table.voltage();
  if (scenario.energy.dram_pj_per_bit > 0) result.pricing.dram_pj_per_bit = scenario.energy.dram_pj_per_bit;
  result.setup.seed = static_cast<u64>(scenario.run.seed.get());
  result.setup.notes = inputs.notes;
  result.setup.zero_padding = zero_padding(scenario.network);
  result.area_by_component_mm2 = size.area_mm2;
  result.pricing.prices = prices_json(table, area, size);
  result.plan = plan_json(inputs.compiled);
  return result;
}

/// What a run was given and what it has left: a single batch, or those of a dataset.
struct Batches {
  const Scenario& scenario;
  RunInputs& inputs;
  std::vector<TensorMap> outputs;

  /// A batch whose inputs become those of the run, as long as no other one is asked for.
  [[nodiscard]] Evidence evidence(std::size_t index) {
    if (inputs.dataset) {
      take_batch(inputs, scenario.network.batch, index);
      add_given(scenario.network, inputs, outputs[index]);
    }
    return {scenario, inputs, outputs[index]};
  }
};

/// Verifies the outputs of a run without a failure.
void verify_run(Batches& batches, RunResult& result) {
  if (result.work.inferences == 0) {
    result.failure =
        "the firmware carried out no inference, so that there is nothing to verify; expected firmware that does, or "
        "verify.enabled: false for one that is not meant to";
    return;
  }
  const Stopwatch watch;
  Verdict verdict = verify(batches.evidence(0));
  for (std::size_t i = 1; i < batches.outputs.size(); ++i) {
    verdict.add(verify(batches.evidence(i)), i * batches.scenario.network.batch);
  }
  if (result.dataset) result.dataset->expected = std::move(verdict.classes);
  result.verification = std::move(verdict.verification);
  result.failure = std::move(verdict.failure);
  for (LayerRow& row : result.layers) {
    row.relative_error = verdict.layers.at(row.index).whole;
    row.row_error = verdict.layers.at(row.index).row;
  }
  result.host.verify_seconds = watch.seconds();
}

/// A run that has made an infinity or a NaN, or whose outputs contain one, has failed, whatever else the verification
/// says.
void check_finite(Batches& batches, RunResult& result) {
  std::string failure;
  for (std::size_t i = 0; failure.empty() && i < batches.outputs.size(); ++i) {
    failure = why_not_finite(batches.evidence(i), result.not_finite, result.work.inferences);
  }
  if (failure.empty()) return;
  // If the verification has failed, this is the reason of that failure, and not another one.
  const bool verified = batches.scenario.verify.enabled && result.verification.checked;
  if (result.failure.empty()) {
    result.failure = failure;
  } else if (verified) {
    result.failure = fmt::format("{}; {}", failure, result.failure);
  }
}

/// What the firmware has made of the dataset, once the simulation has ended.
void read_dataset(Soc& soc, const RunInputs& inputs, u64 batch, RunResult& result) {
  result.dataset.emplace();
  result.dataset->batch = batch;
  result.dataset->labels = inputs.dataset->labels;
  if (!result.failure.empty()) return;
  const u64 samples = result.dataset->samples();
  if (result.work.inferences != samples / batch) {
    result.failure = fmt::format(
        "the firmware has run the network {} times, expected {}, once for each batch of run.dataset; it must be one "
        "that goes through a dataset, as the platform's own does",
        result.work.inferences, samples / batch);
    return;
  }
  std::vector<u32> predictions(samples);
  soc.read_memory(inputs.dataset_place.predictions, reinterpret_cast<u8*>(predictions.data()), samples * sizeof(u32));
  result.dataset->predictions = std::move(predictions);
}

/// The firmware's predictions are those of the greatest logits that the accelerator has left.
void check_predictions(const std::vector<TensorMap>& outputs, RunResult& result) {
  const std::vector<u32>& predictions = result.dataset->predictions;
  std::size_t sample = 0;
  for (const TensorMap& batch : outputs) {
    const std::vector<float> logits = widened(batch.at("logits").data);
    const auto classes = static_cast<std::ptrdiff_t>(batch.at("logits").shape.back());
    for (auto row = logits.begin(); row != logits.end() && sample < predictions.size(); row += classes, ++sample) {
      const auto greatest = static_cast<u32>(std::max_element(row, row + classes) - row);
      if (predictions[sample] == greatest || !result.failure.empty()) continue;
      result.failure = fmt::format("the firmware predicts class {} for sample {}, whose greatest logit is that of {}",
                                   predictions[sample], sample, greatest);
    }
  }
}

/// All batches as one: the tensors one behind the other along their first dimension.
TensorMap joined(Batches& batches) {
  TensorMap all = batches.evidence(0).outputs;
  for (std::size_t i = 1; i < batches.outputs.size(); ++i) {
    for (const auto& [name, tensor] : batches.evidence(i).outputs) {
      Tensor& sum = all.at(name);
      sum.shape.front() += tensor.shape.front();
      sum.data.insert(sum.data.end(), tensor.data.begin(), tensor.data.end());
    }
  }
  return all;
}

void keep_data(Batches& batches, RunResult& result) {
  if (batches.outputs.empty()) return;
  result.data.tensors = joined(batches);
  result.data.weights = batches.inputs.weights;
  result.data.tokens = batches.inputs.dataset ? batches.inputs.dataset->tokens : batches.inputs.tokens;
}

}  // namespace

std::filesystem::path firmware_of(const Scenario& scenario) {
  const std::string& given = scenario.run.firmware;
  if (!given.empty()) return given;
  const char* const own = scenario.run.dataset.get().empty() ? "firmware/network.elf" : "firmware/dataset.elf";
  if (const auto found = find_resource(own)) return *found;
  throw InputError(fmt::format(
      "the platform's firmware ({}) was not found beside the executable; build it, or name one with run.firmware",
      own));
}

RunResult run_scenario(const Scenario& scenario, const RunRequest& request) {
  const auto report_stage = [&](RunProgress::Stage stage) {
    RunProgress progress;
    progress.stage = stage;
    if (request.progress) request.progress(progress);
  };
  report_stage(RunProgress::Stage::preparing);
  const Stopwatch setup;
  const ReportHandler report_handler;
  const SimulationContext context;
  const bool data = scenario.run.data;
  const EnergyTable table = load_energy_table(scenario);
  const AreaTable area = load_area_table();
  std::unique_ptr<Soc> soc = build_machine(scenario, data, table, area);
  RunInputs inputs = read_inputs(scenario);
  MachineSize size = machine_size(soc->shape());
  size.area_mm2 = area.area(size);
  RunResult result = describe_run(scenario, table, area, size, inputs);
  const double setup_seconds = setup.seconds();
  if (request.begin) request.begin();

  Batches batches{scenario, inputs, {}};
  {
    const Stopwatch connecting;
    Session session(*soc, scenario, inputs, request, {table, size});
    DatasetRecorder recorder(*soc, scenario.network, inputs);
    if (inputs.dataset) recorder.watch(soc->sequencer.commands());
    result.host.setup_seconds = setup_seconds + connecting.seconds();
    SessionEnd end = session.simulate();
    result.failure = std::move(end.failure);
    result.firmware_exit_code = end.firmware_exit_code;
    result.host.seconds = end.host_seconds;
    collect({scenario, *soc, session.kernels(), session.regions(), session.path(), session.tasks(), table, size},
            result);
    result.not_finite = session.not_finite();
    if (inputs.dataset) {
      read_dataset(*soc, inputs, scenario.network.batch, result);
      batches.outputs = recorder.take();
    } else if (data) {
      batches.outputs.push_back(read_outputs(*soc, scenario.network, inputs));
    }
    SessionRecords records = session.close_records();
    result.records.power = std::move(records.power);
    result.records.trace_events_dropped = records.trace_events_dropped;
  }
  soc.reset();
  if (request.end) request.end();

  if (result.failure.empty() && scenario.verify.enabled && data) {
    report_stage(RunProgress::Stage::verifying);
    verify_run(batches, result);
  }
  if (data) check_finite(batches, result);
  if (result.dataset) check_predictions(batches.outputs, result);
  if (request.keep_tensors && data) keep_data(batches, result);
  return result;
}

}  // namespace bvp
