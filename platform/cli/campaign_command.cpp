// SPDX-License-Identifier: Apache-2.0
// butterfly-vp campaign
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "platform/cli/commands.h"
#include "platform/cli/sweep_commands.h"
#include "platform/cli/terminal.h"
#include "platform/explore/campaign.h"
#include "platform/explore/sweep.h"
#include "platform/support/interruption.h"
#include "platform/support/json_text.h"
#include "platform/support/output_file.h"
#include "platform/support/text_table.h"

namespace bvp {
namespace {

namespace fs = std::filesystem;

struct CampaignCommand {
  std::string scenario;
  std::vector<std::string> sets, kinds;
  u64 faults = 100, seed = 1;
  std::string fidelity = "both", guard = "both";
  std::string directory;  ///< empty: campaigns/NAME
  unsigned jobs = 0;
  double timeout_s = 3600;
  bool resume = false, quiet = false;
};

/// A row for each kind of fault and arm, a column for each effect that has come.
void print_counts(const CampaignCounts& counts) {
  for (const auto& [arm, kinds] : counts.by_arm) {
    const CampaignCounts::Effects total = counts.total(arm);
    std::vector<TextTable::Column> head{{arm}};
    std::vector<std::size_t> columns;
    for (std::size_t i = 0; i < total.size(); ++i) {
      if (total[i] == 0) continue;
      head.push_back({name_of(static_cast<FaultEffect>(i))});
      columns.push_back(i);
    }
    TextTable table(head);
    const auto add = [&](const std::string& name, const CampaignCounts::Effects& effects) {
      std::vector<std::string> cells{name};
      for (const std::size_t column : columns) cells.push_back(std::to_string(effects[column]));
      table.add(cells);
    };
    for (const auto& [kind, effects] : kinds) add(kind, effects);
    add("all", total);
    fmt::print("{}\n", table.text());
  }
}

CampaignRequest request_of(const CampaignCommand& command) {
  CampaignRequest request;
  request.file = scenario_file(command.scenario);
  request.name = fs::path(request.file).stem().string() + "_faults";
  request.sets = parse_overrides(command.sets);
  request.faults = command.faults;
  request.seed = command.seed;
  request.kinds = command.kinds;
  if (command.fidelity != "fast") request.fidelities.emplace_back("cycle");
  if (command.fidelity != "cycle") request.fidelities.emplace_back("fast");
  if (command.guard != "on") request.guards.push_back(false);
  if (command.guard != "off") request.guards.push_back(true);
  return request;
}

int campaign_command(const CampaignCommand& command, const Invocation& invocation) {
  const ScenarioOptions options = scenario_options({});
  const CampaignRequest asked = request_of(command);
  CampaignBase base;
  const SweepDefinition definition = make_campaign(asked, options, base);
  Provenance provenance;
  provenance.build = invocation.build;
  provenance.command = invocation.arguments;
  describe_host(provenance);
  const fs::path directory =
      command.directory.empty() ? fs::path("campaigns") / definition.name : fs::path(command.directory);
  SweepStore store(directory, command.resume ? SweepStore::Open::resume : SweepStore::Open::create,
                   definition_json(definition), provenance);
  {
    const Interruption::Simulation simulation;
    WorkerPool pool(local_pool(command.jobs, command.timeout_s));
    SweepRequest request;
    request.launcher = &pool;
    request.host = provenance.host;
    request.tick = [](const SweepProgress&) { return Interruption::asked() != 0; };
    const SweepProgress end = run_sweep(definition, options, invocation.build, store, request);
    if (const int signal = Interruption::asked()) {
      say(fmt::format("\n{} of {} runs are in {}; go on with --resume\n", end.all_ended(), end.points,
                      directory.string()));
      Interruption::end_by(signal);
    }
  }
  write_file(directory / "campaign.json", [&](std::ostream& out) { out << json_text(campaign_json(store, base)); });
  const CampaignCounts counts = count_effects(store, base);
  if (!command.quiet) {
    print_counts(counts);
    fmt::print("{} runs; results in {}\n", grouped(counts.runs), directory.string());
  }
  u64 broken = 0;
  for (const auto& [arm, kinds] : counts.by_arm)
    broken += counts.total(arm)[static_cast<std::size_t>(FaultEffect::broken)];
  if (broken > 0)
    print_error(fmt::format("{} runs could not be simulated; see sweep status {}", broken, directory.string()));
  return broken == 0 ? exit_passed : exit_failed;
}

std::vector<std::string> kind_names() {
  return {
#define BVP_FAULT_NAME(name, description) #name,
      BVP_FAULT_KINDS(BVP_FAULT_NAME)
#undef BVP_FAULT_NAME
  };
}

}  // namespace

void add_campaign_command(CommandLine& line) {
  const auto given = std::make_shared<CampaignCommand>();
  CLI::App& app = *line.app.add_subcommand("campaign", "Run a scenario with many random faults, and say what they do");
  app.add_option("scenario", given->scenario, scenario_help)->required()->type_name("SCENARIO")->check(not_empty());
  add_set_option(app, given->sets);
  app.add_option("--faults", given->faults, "How many (default: 100)")->type_name("N")->check(CLI::Range(1, 100000));
  app.add_option("--seed", given->seed, "Seed of the faults (default: 1)")->type_name("S");
  app.add_option("--kind", given->kinds, "Only faults of this kind (default: all); may be repeated")
      ->type_name("KIND")
      ->allow_extra_args(false)
      ->check(CLI::IsMember(kind_names()));
  app.add_option("--fidelity", given->fidelity, "Timing of the array (default: both)")
      ->type_name("cycle|fast|both")
      ->check(CLI::IsMember({"cycle", "fast", "both"}));
  app.add_option("--guard", given->guard,
                 "Each fault without protection, codes, limits, retries and spare images, with them, or both (default)")
      ->type_name("off|on|both")
      ->check(CLI::IsMember({"off", "on", "both"}));
  app.add_option("--out", given->directory, "Directory of the campaign (default: campaigns/NAME)")
      ->type_name("DIR")
      ->check(not_empty());
  add_jobs_option(app, given->jobs);
  add_timeout_option(app, given->timeout_s);
  app.add_flag("--resume", given->resume, "Go on with the campaign in the directory, or begin it");
  app.add_flag("--quiet", given->quiet, "No summary");
  app.final_callback(
      [&line, given] { line.selected = [&line, given] { return campaign_command(*given, line.invocation); }; });
}

}  // namespace bvp
