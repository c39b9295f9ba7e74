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
  exit_passed = 0,     ///< done, and verified where that was asked for
  exit_failed = 1,     ///< the run or its verification failed, or something could not be written once begun
  exit_bad_input = 2,  ///< bad usage, scenario or file, or no place for results: nothing was simulated
};

/// Text for the standard error. Nobody need read it: that it cannot be written ends no command.
void say(const std::string& text);
/// One line for each of the message's, on the standard error.
void print_error(const std::string& message);

/// The program, and how it was called.
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
  bool all_rows = false;  ///< in the table: every layer and kernel
};

struct DescribeCommand {
  std::string scenario;  ///< empty: the defaults
  std::vector<Override> overrides;
  std::string filter;  ///< what is shown has this in its name; empty: all is shown
  bool tensors = false;
  bool json = false;
  bool schema = false;
  bool markdown = false;
};

struct BenchCommand {
  std::vector<std::string> scenarios;  ///< empty: the default workloads
  std::vector<Override> overrides;
  std::string out = "bench.json";
  std::string append;  ///< a file of one JSON document a line, to keep the history; empty: none
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

/// Parses the arguments, runs the command, turns exceptions into messages on stderr and exit codes.
/// A signal ends the process, see Interruption.
int command_line(int argc, const char* const* argv, const BuildInfo& build);

/// What the commands read of a scenario: its file, its presets, and the files that these name.
[[nodiscard]] InputFiles inputs_of(const Scenario& scenario);

/// What `run` would refuse before it simulates: files that the scenario names, the machine, the plan.
/// @return sentences on what a run does to its inputs. @throws InputError  what `run` would say
std::vector<std::string> check_inputs(const Scenario& scenario);

/// The file that a user means who names a scenario: the file itself, or, where there is none and the name is that of a
/// scenario that comes with the platform ("bert_base"), that one. @throws InputError  there is neither
std::string scenario_file(const std::string& given);

/// Options with which the commands read scenarios: presets are found in the platform's scenarios.
ScenarioOptions scenario_options(const std::vector<Override>& overrides);

}  // namespace bvp
