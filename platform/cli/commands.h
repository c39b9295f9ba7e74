// SPDX-License-Identifier: Apache-2.0
// The commands of the executable: what they share, and the list of them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "platform/report/provenance.h"
#include "platform/scenario/scenario.h"
#include "platform/support/output_file.h"

namespace CLI {
class App;
class Option;
class Validator;
}  // namespace CLI

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

/// A command line that is being declared.
struct CommandLine {
  CLI::App& app;
  const Invocation& invocation;
  /// Carries out the command that the user has given, and returns the process's exit code; empty until then.
  std::function<int()> selected;
};

/// Each adds one command with its options to `app`. When the user gives this command, it sets `selected`.
void add_run_command(CommandLine& line);
void add_validate_command(CommandLine& line);
void add_bench_command(CommandLine& line);
void add_compare_command(CommandLine& line);
void add_report_command(CommandLine& line);
void add_sweep_command(CommandLine& line);
void add_campaign_command(CommandLine& line);
/// The processes that a sweep starts.
void add_worker_command(CommandLine& line);
void add_describe_command(CommandLine& line);
void add_import_command(CommandLine& line);
void add_project_command(CommandLine& line);
void add_sdk_command(CommandLine& line);
void add_asm_command(CommandLine& line);
void add_disasm_command(CommandLine& line);
void add_compile_command(CommandLine& line);

/// Adds the option --set of a command.
/// @param sets  filled in by the parser; it must outlive the parsing
CLI::Option* add_set_option(CLI::App& command, std::vector<std::string>& sets);
/// @throws InputError  a text is not KEY=VALUE
[[nodiscard]] std::vector<Override> parse_overrides(const std::vector<std::string>& sets);
/// Refuses an empty value, which the command would take for an option that was not given.
[[nodiscard]] CLI::Validator not_empty();
inline constexpr const char* scenario_help =
    "Scenario file, or the name of one that comes with the platform (bert_base)";

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
