// SPDX-License-Identifier: Apache-2.0
#include "platform/run/run.h"

#include <fmt/format.h>

#include <optional>

#include "models/base/simulation_context.h"
#include "platform/network/network_json.h"
#include "platform/report/plan_report.h"
#include "platform/report/prices_json.h"
#include "platform/run/check_machine.h"
#include "platform/run/collector.h"
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

/// Verifies the outputs of a run without a failure.
void verify_run(const Evidence& evidence, RunResult& result) {
  if (result.work.inferences == 0) {
    result.failure =
        "the firmware carried out no inference, so that there is nothing to verify; expected firmware that does, or "
        "verify.enabled: false for one that is not meant to";
    return;
  }
  const Stopwatch watch;
  Verdict verdict = verify(evidence);
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
void check_finite(const Evidence& evidence, RunResult& result) {
  const std::string failure = why_not_finite(evidence, result.not_finite, result.work.inferences);
  if (failure.empty()) return;
  // If the verification has failed, this is the reason of that failure, and not another one.
  const bool verified = evidence.scenario.verify.enabled && result.verification.checked;
  if (result.failure.empty()) {
    result.failure = failure;
  } else if (verified) {
    result.failure = fmt::format("{}; {}", failure, result.failure);
  }
}

}  // namespace

std::filesystem::path firmware_of(const Scenario& scenario) {
  const std::string& given = scenario.run.firmware;
  if (!given.empty()) return given;
  if (const auto found = find_resource("firmware/network.elf")) return *found;
  throw InputError(
      "the platform's firmware (firmware/network.elf) was not found beside the executable; build it, or name "
      "one with run.firmware");
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
  const RunInputs inputs = read_inputs(scenario);
  MachineSize size = machine_size(soc->shape());
  size.area_mm2 = area.area(size);
  RunResult result = describe_run(scenario, table, area, size, inputs);
  const double setup_seconds = setup.seconds();
  if (request.begin) request.begin();

  TensorMap outputs;
  {
    const Stopwatch connecting;
    Session session(*soc, scenario, inputs, request, {table, size});
    result.host.setup_seconds = setup_seconds + connecting.seconds();
    SessionEnd end = session.simulate();
    result.failure = std::move(end.failure);
    result.firmware_exit_code = end.firmware_exit_code;
    result.host.seconds = end.host_seconds;
    collect({scenario, *soc, session.kernels(), session.regions(), session.path(), inputs.compiled, table, size},
            result);
    result.not_finite = session.not_finite();
    if (data) outputs = read_outputs(*soc, scenario.network, inputs);
    SessionRecords records = session.close_records();
    result.records.power = std::move(records.power);
    result.records.trace_events_dropped = records.trace_events_dropped;
  }
  soc.reset();
  if (request.end) request.end();

  const Evidence evidence{scenario, inputs, outputs};
  if (result.failure.empty() && scenario.verify.enabled && data) {
    report_stage(RunProgress::Stage::verifying);
    verify_run(evidence, result);
  }
  if (data) check_finite(evidence, result);
  if (request.keep_tensors && data) {
    result.data.tensors = outputs;
    result.data.weights = inputs.weights;
    result.data.tokens = inputs.tokens;
  }
  return result;
}

}  // namespace bvp
