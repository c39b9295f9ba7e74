// SPDX-License-Identifier: Apache-2.0
// butterfly-vp sweep confirm
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "platform/cli/sweep_commands.h"
#include "platform/cli/terminal.h"
#include "platform/explore/analysis.h"
#include "platform/explore/confirmation.h"
#include "platform/explore/definition.h"
#include "platform/support/interruption.h"
#include "platform/support/text_table.h"

namespace bvp {
namespace {

struct ConfirmCommand {
  std::string directory;
  std::string fidelity = "cycle";
  u64 top = 0;  ///< 0: the front
  unsigned jobs = 0;
  double timeout_s = 3600;
  bool quiet = false;
};

/// Numbers of the points on the front, or of the best ones for the first objective; with the base.
std::vector<u64> points_of(const Analysis& analysis, u64 top) {
  std::vector<std::size_t> chosen;
  if (top == 0) {
    chosen = analysis.front;
  } else {
    for (std::size_t i = 0; i < analysis.points.size(); ++i) {
      const AnalysedPoint& point = analysis.points[i];
      if (point.feasible && !point.costs.empty() && point.number != 0) chosen.push_back(i);
    }
    std::stable_sort(chosen.begin(), chosen.end(),
                     [&](std::size_t a, std::size_t b) { return analysis.points[a].costs < analysis.points[b].costs; });
    chosen.resize(std::min<std::size_t>(chosen.size(), top));
  }
  if (analysis.base && std::count(chosen.begin(), chosen.end(), *analysis.base) == 0) chosen.push_back(*analysis.base);
  std::vector<u64> numbers;
  for (const std::size_t index : chosen) {
    const AnalysedPoint& point = analysis.points[index];
    if (point.members.empty()) numbers.push_back(point.number);
    // A design with workloads.
    numbers.insert(numbers.end(), point.members.begin(), point.members.end());
  }
  return numbers;
}

int confirm_command(const ConfirmCommand& command, const Invocation& invocation) {
  const Analysis before = analyse(SweepStore(command.directory));
  if (before.front.empty()) {
    throw InputError(
        fmt::format("{}: no point meets all constraints and has a value for each objective: there is nothing "
                    "to confirm",
                    command.directory));
  }
  Provenance provenance;
  provenance.build = invocation.build;
  describe_host(provenance);
  SweepStore store(command.directory, SweepStore::Open::resume, SweepStore(command.directory).definition(), provenance);
  ConfirmRequest request;
  request.points = points_of(before, command.top);
  request.fidelity = command.fidelity;
  WorkerPool pool(local_pool(command.jobs, command.timeout_s));
  request.launcher = &pool;
  request.host = provenance.host;
  std::size_t said = 0;
  ConfirmResult result;
  {
    const Interruption::Simulation simulation;
    request.tick = [&](std::size_t ended) {
      if (!command.quiet && ended > said) {
        said = ended;
        say(fmt::format("{}/{} points in {}\n", ended, request.points.size(), command.fidelity));
      }
      return Interruption::asked() != 0;
    };
    result = confirm_points(store, scenario_options({}), invocation.build, request);
    if (const int signal = Interruption::asked()) Interruption::end_by(signal);
  }
  for (const StoredPoint& point : result.failures) {
    print_error(fmt::format("point {} {}: {}; repeat it by: {}", point.number, outcome_name(point.outcome),
                            point.reason, command_of(point)));
  }
  if (!command.quiet) {
    const std::size_t width = terminal_width(STDOUT_FILENO);
    fmt::print("{} points run again in {}, {} were there\n", result.computed, command.fidelity, result.known);
    for (const std::string& sentence : confirmation_sentences(analyse(store))) {
      fmt::print("{}\n", wrapped(sentence, width, 2));
    }
  }
  return result.failures.empty() ? exit_passed : exit_failed;
}

}  // namespace

void add_sweep_confirm_command(CLI::App& sweep, CommandLine& line) {
  const auto given = std::make_shared<ConfirmCommand>();
  CLI::App& app = *sweep.add_subcommand("confirm", "Run the best points of a sweep again, in cycle, and compare");
  app.add_option("directory", given->directory, "Directory of the sweep")
      ->required()
      ->type_name("DIR")
      ->check(not_empty());
  CLI::Option* const front = app.add_flag("--front", "The points of the Pareto front and the base (default)");
  app.add_option("--top", given->top, "The best points for the first objective, and the base, instead of the front")
      ->type_name("N")
      ->check(CLI::Range(u64{1}, most_points))
      ->excludes(front);
  app.add_option("--fidelity", given->fidelity, "Timing of the array in the second run (default: cycle)")
      ->type_name("cycle|fast")
      ->check(CLI::IsMember({"cycle", "fast"}));
  add_jobs_option(app, given->jobs);
  add_timeout_option(app, given->timeout_s);
  app.add_flag("--quiet", given->quiet, "No progress and no summary");
  app.final_callback(
      [&line, given] { line.selected = [&line, given] { return confirm_command(*given, line.invocation); }; });
}

}  // namespace bvp
