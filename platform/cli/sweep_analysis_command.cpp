// SPDX-License-Identifier: Apache-2.0
// butterfly-vp sweep show, butterfly-vp sweep report
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "platform/cli/sweep_commands.h"
#include "platform/cli/terminal.h"
#include "platform/explore/analysis.h"
#include "platform/report/html_page.h"
#include "platform/support/output_file.h"
#include "platform/support/seal.h"

namespace bvp {
namespace {

struct AnalysisCommand {
  std::string directory;
  std::string where, against;
  u64 top = 10;
  std::vector<u64> diff;
  std::string out;
};

/// The analysis of the directory, with a sentence on the other sweep where there is one.
Analysis analysis_of(const AnalysisCommand& command) {
  Analysis analysis = analyse(SweepStore(command.directory), command.where);
  if (!command.against.empty()) {
    const Analysis other = analyse(SweepStore(command.against), command.where);
    analysis.sentences.push_back(fmt::format(
        "The front has {:.2f} % of the hypervolume of the front of {}, which has {} points; this sweep has {}.",
        100 * hypervolume_ratio(analysis, other), command.against, other.points.size(), analysis.points.size()));
  }
  return analysis;
}

int show_command(const AnalysisCommand& command) {
  const Analysis analysis = analysis_of(command);
  const std::size_t width = terminal_width(STDOUT_FILENO);
  if (command.diff.size() == 2) {
    fmt::print("{}\n", difference_text(analysis, command.diff[0], command.diff[1], width));
  } else {
    fmt::print("{}", analysis_text(analysis, command.top, width));
  }
  return exit_passed;
}

int report_command(const AnalysisCommand& command) {
  const std::filesystem::path file = command.out.empty() ? std::filesystem::path(command.directory) / "report.html"
                                                         : std::filesystem::path(command.out);
  const Analysis analysis = analysis_of(command);
  check_replaceable(file, {{"the sweep", std::filesystem::path(command.directory) / "sweep.sqlite"}}, Sealed::report);
  write_file(file, html_page("sweep", {{"DATA", analysis_json(analysis)}}));
  fmt::print("{}\n", file.string());
  return exit_passed;
}

CLI::App& add_command(CLI::App& sweep, const char* name, const char* what,
                      const std::shared_ptr<AnalysisCommand>& given) {
  CLI::App& app = *sweep.add_subcommand(name, what);
  app.add_option("directory", given->directory, "Directory of the sweep")
      ->required()
      ->type_name("DIR")
      ->check(not_empty());
  app.add_option("--where", given->where, "Only points that meet this formula: soc.array.lanes == 16")
      ->type_name("FORMULA")
      ->check(not_empty());
  app.add_option("--against", given->against,
                 "Directory of another sweep: how much of its hypervolume this one reaches")
      ->type_name("DIR")
      ->check(not_empty());
  return app;
}

}  // namespace

void add_sweep_analysis_commands(CLI::App& sweep, CommandLine& line) {
  const auto shown = std::make_shared<AnalysisCommand>();
  CLI::App& show =
      add_command(sweep, "show", "What a sweep says: best points, Pareto front, what each axis does", shown);
  show.add_option("--top", shown->top, "Rows of the table (default: 10)")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  show.add_option("--diff", shown->diff, "Two points: what differs between them")->type_name("A B")->expected(2);
  show.final_callback([&line, shown] { line.selected = [shown] { return show_command(*shown); }; });
  const auto reported = std::make_shared<AnalysisCommand>();
  CLI::App& report = add_command(sweep, "report", "Make one HTML file of a sweep", reported);
  report.add_option("--out", reported->out, "File (default: report.html in the directory)")
      ->type_name("FILE.html")
      ->check(not_empty());
  report.final_callback([&line, reported] { line.selected = [reported] { return report_command(*reported); }; });
}

}  // namespace bvp
