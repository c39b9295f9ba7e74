// SPDX-License-Identifier: Apache-2.0
// The commands of the executable. Each returns the process's exit code.
#pragma once

#include <string>
#include <vector>

#include "platform/report/provenance.h"
#include "platform/scenario/scenario.h"
#include "platform/support/output_file.h"

namespace bvp {

enum ExitCode : int {
  exit_passed = 0,  ///< the command succeeded, including the verification if one was requested
  exit_failed = 1,  ///< the run or its verification failed, or something could not be written after the run had begun
  exit_bad_input = 2,  ///< wrong usage, scenario or file, or no place for results: nothing was simulated
};

/// Writes text to the standard error. Errors in writing are ignored: they end no command.
void say(const std::string& text);
/// Writes each line of the message as one line to the standard error.
void print_error(const std::string& message);

/// The program, and the arguments that it was called with.
struct Invocation {
  BuildInfo build;
  std::vector<std::string> arguments;
};

struct RunCommand {
  std::string scenario;
  std::vector<Override> overrides;
  std::string directory;  ///< empty: runs/NAME
  std::string uart = "stdio";
  bool quiet = false;
  bool all_rows = false;  ///< the table has every layer and kernel
};

struct DescribeCommand {
  std::string scenario;  ///< empty: the defaults
  std::vector<Override> overrides;
  std::string filter;  ///< only entries with this text in their name are shown; empty: all
  bool tensors = false;
  bool json = false;
  bool schema = false;
  bool markdown = false;
};

struct BenchCommand {
  std::vector<std::string> scenarios;  ///< empty: the default workloads
  std::vector<Override> overrides;
  std::string out = "bench.json";
  /// A file with one JSON document per line, to which the result is appended as history; empty: none.
  std::string append;
  bool signature = false;
  bool series = false;
};

struct CompareCommand {
  std::vector<std::string> items;  ///< scenario files and directories of runs
  std::vector<Override> overrides;
  std::string out;    ///< JSON file; empty: none
  bool dense = true;  ///< scenarios: simulate the dense counterpart too
};

struct ReportCommand {
  std::vector<std::string> runs;  ///< directories; the others are compared with the first
  std::string out;                ///< HTML file; empty: report.html in the first directory
};

int report_command(const ReportCommand& command);
int compare_command(const CompareCommand& command);
int bench_command(const BenchCommand& command);
int run_command(const RunCommand& command, const Invocation& invocation);
int describe_command(const DescribeCommand& command);
int validate_command(const std::vector<std::string>& files, const std::vector<Override>& overrides);

/// Parses the arguments, runs the command, and turns exceptions into messages on stderr and exit codes. A signal ends
/// the process, see Interruption.
int command_line(int argc, const char* const* argv, const BuildInfo& build);

/// The files that the commands read for a scenario: its own file, its presets, and the files that these name.
[[nodiscard]] InputFiles inputs_of(const Scenario& scenario);

/// Checks everything that `run` would refuse before it simulates: files that the scenario names, the machine, the plan.
/// @return sentences on what a run does to its inputs
/// @throws InputError  with the message of `run`
std::vector<std::string> check_inputs(const Scenario& scenario);

/// Finds the file of a scenario that the user names: the file itself or, if there is none, the scenario of this name
/// that comes with the platform ("bert_base").
/// @throws InputError  there is neither
std::string scenario_file(const std::string& given);

/// The options with which the commands read scenarios: presets are looked for in the platform's scenarios.
ScenarioOptions scenario_options(const std::vector<Override>& overrides);

}  // namespace bvp
