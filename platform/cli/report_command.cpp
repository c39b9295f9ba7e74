// SPDX-License-Identifier: Apache-2.0
// Defines the command `butterfly-vp report`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "platform/cli/commands.h"
#include "platform/report/html_report.h"
#include "platform/report/run_files.h"
#include "platform/support/output_file.h"
#include "platform/support/seal.h"

namespace bvp {

namespace {

struct ReportCommand {
  std::vector<std::string> runs;  ///< directories; the others are compared with the first
  std::string out;                ///< HTML file; empty: report.html in the first directory
};

int report_command(const ReportCommand& command) {
  const std::vector<std::filesystem::path> directories(command.runs.begin(), command.runs.end());
  const std::filesystem::path file =
      command.out.empty() ? directories.front() / "report.html" : std::filesystem::path(command.out);
  for (const std::filesystem::path& directory : directories) check_run_directory(directory);
  InputFiles inputs;
  for (const std::filesystem::path& directory : directories) {
    const InputFiles files = files_of_run(directory);
    inputs.insert(inputs.end(), files.begin(), files.end());
  }
  check_replaceable(file, inputs, Sealed::report);
  const std::string page = html_report(directories);
  write_file(file, page);
  fmt::print("{}\n", file.string());
  return exit_passed;
}

}  // namespace

void add_report_command(CommandLine& line) {
  const auto given = std::make_shared<ReportCommand>();
  CLI::App& app = *line.app.add_subcommand("report", "Make one HTML file of one run or several");
  app.add_option("runs", given->runs, "Directories of runs")->required()->type_name("RUN");
  app.add_option("--out", given->out, "File (default: report.html in the first directory)")
      ->type_name("FILE.html")
      ->check(not_empty());
  app.final_callback([&line, given] { line.selected = [given] { return report_command(*given); }; });
}

}  // namespace bvp
