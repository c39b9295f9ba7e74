// SPDX-License-Identifier: Apache-2.0
// butterfly-vp run
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <optional>

#include "platform/cli/commands.h"
#include "platform/cli/interruption.h"
#include "platform/cli/progress_line.h"
#include "platform/cli/result_directory.h"
#include "platform/cli/terminal.h"
#include "platform/report/summary.h"
#include "platform/report/terminal_summary.h"
#include "platform/run/run.h"
#include "platform/scenario/output_file.h"
#include "platform/scenario/parameters_json.h"

namespace bvp {
namespace {

namespace fs = std::filesystem;

/// The file that --uart names, none for stdio.
std::optional<std::string> uart_file(const std::string& option) {
  constexpr std::string_view prefix = "file:";
  if (option == "stdio") return std::nullopt;
  if (option.size() > prefix.size() && option.compare(0, prefix.size(), prefix) == 0) {
    return option.substr(prefix.size());
  }
  throw InputError(fmt::format("--uart {}: expected stdio or file:PATH", option));
}

/// Where the firmware's text goes; a copy always lies in the run's directory.
class UartSink {
 public:
  UartSink(const std::optional<std::string>& file, bool quiet, const fs::path& directory)
      : to_stdout_(!file && !quiet) {
    if (file) file_ = open(*file);
    log_ = open(directory / "uart.log");
  }

  void write(std::string_view text, ProgressLine& progress) {
    // At once, so that they can be followed, and are complete if the process is killed.
    log_ << text << std::flush;
    if (file_.is_open()) file_ << text << std::flush;
    if (!to_stdout_) return;
    progress.clear();
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
    if (!text.empty()) line_open_ = text.back() != '\n';
  }

  /// Ends a line that the firmware left open.
  void end_line() {
    if (line_open_) std::putchar('\n');
    line_open_ = false;
  }

  /// @throws std::runtime_error  what the firmware printed could not be written
  void close() {
    log_.flush();
    file_.flush();
    if (!log_ || (file_.is_open() && !file_))
      throw std::runtime_error("what the firmware printed cannot be written (is the disk full?)");
  }

 private:
  static std::ofstream open(const fs::path& path) {
    std::ofstream stream(path, std::ios::binary | std::ios::trunc);
    if (!stream) throw InputError(fmt::format("{}: cannot be written", path.string()));
    return stream;
  }

  std::ofstream log_, file_;
  bool to_stdout_;
  bool line_open_ = false;
};

fs::path directory_of(const RunCommand& command, const Scenario& scenario) {
  return command.directory.empty() ? fs::path("runs") / scenario.name.get() : fs::path(command.directory);
}

/// Of what can be known beforehand. @throws InputError  the run would overwrite what it reads, or could not write
void check_outputs(const ResultDirectory& directory, const std::optional<std::string>& uart) {
  if (!uart) return directory.check_inputs_stay({});
  directory.check_inputs_stay({*uart});
  // In a directory that is yet to be made there is room for it.
  if (fs::path(*uart).parent_path().lexically_normal() != directory.path().lexically_normal()) check_writable(*uart);
}

}  // namespace

int run_command(const RunCommand& command) {
  Interruption interruption;
  const std::string scenario_path = scenario_file(command.scenario);
  const std::unique_ptr<Scenario> scenario = read_scenario(scenario_path, scenario_options(command.overrides));
  const ResultDirectory directory(directory_of(command, *scenario), *scenario, scenario_path);
  const std::optional<std::string> file = uart_file(command.uart);
  check_outputs(directory, file);

  RunResult result;
  std::optional<UartSink> uart;
  {
    ProgressLine progress(!command.quiet);
    RunRequest request;
    request.keep_tensors = scenario->record.tensors;
    request.begin = [&] {
      directory.make();
      uart.emplace(file, command.quiet, directory.path());
      directory.remove_old_results();
      interruption.simulation_begins();
    };
    request.uart = [&](std::string_view text) { uart->write(text, progress); };
    request.interrupted = [&] { return interruption.asked(); };
    request.progress = [&](const RunProgress& step) { progress.show(step); };
    if (scenario->record.trace) request.trace = directory.path() / "trace.json";
    if (scenario->record.vcd) request.vcd = directory.path() / "signals.vcd";
    result = run_scenario(*scenario, request);
  }

  uart->end_line();
  if (!scenario->record.statistics) result.statistics = nullptr;
  write_run(directory.path(), result, scenario->network, parameters_json(*scenario));
  if (!command.quiet) {
    const TerminalSummaryOptions options{terminal_width(STDOUT_FILENO), command.all_rows};
    fmt::print("\n{}\n  results in {}\n", summary_table(result, options), directory.path().string());
  }
  if (!result.passed()) print_error(result.failure);
  uart->close();
  return result.passed() ? exit_passed : exit_failed;
}

}  // namespace bvp
