// SPDX-License-Identifier: Apache-2.0
// Defines the command `butterfly-vp run`.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <utility>

#include "platform/cli/commands.h"
#include "platform/cli/ports.h"
#include "platform/cli/progress_line.h"
#include "platform/cli/result_directory.h"
#include "platform/cli/terminal.h"
#include "platform/cli/uart_connection.h"
#include "platform/config/parameters_json.h"
#include "platform/report/summary.h"
#include "platform/report/terminal_summary.h"
#include "platform/run/bare_run.h"
#include "platform/run/machine.h"
#include "platform/run/run.h"
#include "platform/support/input_file.h"
#include "platform/support/interruption.h"
#include "platform/support/local_server.h"
#include "platform/support/output_file.h"
#include "platform/support/sha256.h"

namespace bvp {
namespace {

struct RunCommand {
  std::string scenario;
  std::vector<Override> overrides;
  std::string directory;  ///< empty: runs/NAME
  UartOptions uart;
  bool quiet = false;
  bool all_rows = false;        ///< the table has every layer and kernel
  std::string gdb, gdb_attach;  ///< ports; empty: no gdb
  bool bare = false;            ///< no network: the program of --firmware alone
  std::string files;            ///< directory that a bare program may use; empty: none
};

/// The options of `run` that stand for keys of the scenario.
struct KeyOptions {
  std::string fidelity, firmware;
  bool no_data = false;
  bool dump = false, trace = false, vcd = false;

  void append_to(std::vector<Override>& overrides) const {
    if (!fidelity.empty()) overrides.push_back({"run.fidelity", fidelity, "--fidelity"});
    if (!firmware.empty()) overrides.push_back({"run.firmware", firmware, "--firmware"});
    if (no_data) overrides.push_back({"run.data", "false", "--no-data"});
    if (trace) overrides.push_back({"record.trace", "true", "--trace"});
    if (vcd) overrides.push_back({"record.vcd", "true", "--vcd"});
    if (dump) overrides.push_back({"record.tensors", "true", "--dump"});
  }
};

struct Given {
  RunCommand command;
  KeyOptions keys;
  std::vector<std::string> sets;
};

namespace fs = std::filesystem;

/// Writes the firmware's text to its destination, and a copy of it into the run's directory.
class UartSink {
 public:
  UartSink(UartConnection& connection, bool quiet, const fs::path& log)
      : connection_(connection), to_stdout_(connection.to_terminal() && !quiet), log_(log) {
    if (connection.text_file()) file_.emplace(*connection.text_file());
  }

  void write(std::string_view text, ProgressLine& progress) {
    // The text is written at once, so that the files are complete if the process is killed.
    log_.stream() << text << std::flush;
    if (file_) file_->stream() << text << std::flush;
    connection_.send(text);
    if (!to_stdout_) return;
    progress.clear();
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
    if (!text.empty()) line_open_ = text.back() != '\n';
    progress.printed(line_open_);
  }

  /// Ends a line that the firmware has left open.
  void end_line() {
    if (line_open_) std::putchar('\n');
    line_open_ = false;
    std::fflush(stdout);
  }

  /// Completes the copy in the run's directory. @throws std::runtime_error  some text of the firmware could not be
  /// written
  void commit_log() { log_.commit(); }

  /// Completes the user's file; commit() moves it to its place.
  /// @return its hash, if it is a regular file
  std::optional<WrittenFile> close_file(const std::string& path) {
    file_->close();
    std::error_code error;
    const fs::path real = fs::weakly_canonical(fs::absolute(path), error), content = file_->content();
    if (content.empty()) return std::nullopt;
    return WrittenFile{real.string(), sha256_of_file(content)};
  }
  void commit_file() { file_->commit(); }

 private:
  UartConnection& connection_;
  bool to_stdout_;
  OutputFile log_;
  std::optional<OutputFile> file_;
  bool line_open_ = false;
};

/// The server that --gdb or --gdb-attach asks for; none: neither is given.
std::unique_ptr<LocalServer> gdb_server(const RunCommand& command) {
  const bool attach = command.gdb.empty();
  const std::string& text = attach ? command.gdb_attach : command.gdb;
  if (text.empty()) return nullptr;
  const std::string option = fmt::format("{} {}", attach ? "--gdb-attach" : "--gdb", text);
  return at_port(option, text, [](u16 port) { return std::make_unique<LocalServer>(port); });
}

void announce(const LocalServer* gdb) {
  if (gdb != nullptr) say(fmt::format("waiting for gdb: target remote localhost:{}\n", gdb->port()));
}

fs::path directory_of(const RunCommand& command, const Scenario& scenario) {
  return command.directory.empty() ? fs::path("runs") / scenario.name.get() : fs::path(command.directory);
}

std::vector<ReadFile> hashes_of(const Scenario& scenario, const InputFiles& inputs) {
  std::vector<ReadFile> hashes;
  for (const auto& [key, file] : inputs) {
    // A pipe cannot be read twice.
    if (hashes.size() < scenario.sources.size()) {
      hashes.push_back({key, file.string(), scenario.sources[hashes.size()].sha256});
      continue;
    }
    const auto given = scenario.given.find(key);
    const std::string where = given == scenario.given.end() ? key : fmt::format("{}: {}", given->second, key);
    if (const std::string wrong = why_no_file(file, file.string()); !wrong.empty()) {
      throw InputError(fmt::format("{}: {}", where, wrong));
    }
    hashes.push_back({key, file.string(), sha256_of_file(file)});
  }
  return hashes;
}

}  // namespace

InputFiles inputs_of(const Scenario& scenario) {
  InputFiles inputs;
  for (const SourceFile& source : scenario.sources) {
    inputs.emplace_back(inputs.empty() ? "the scenario" : "a preset", source.path);
  }
  const std::string& weights = scenario.run.weights;
  const std::string& input = scenario.run.input;
  if (!weights.empty()) inputs.emplace_back("run.weights", weights);
  if (!input.empty()) inputs.emplace_back("run.input", input);
  inputs.emplace_back("run.firmware", firmware_of(scenario));
  inputs.emplace_back("energy.profile", energy_table_file(scenario));
  inputs.emplace_back("the area table", area_table_file());
  return inputs;
}

namespace {

/// Messages name files by their final places.
std::string with_final_places(std::string message, const fs::path& temporary, const fs::path& place) {
  const std::string from = temporary.string();
  for (std::size_t at = 0; (at = message.find(from, at)) != std::string::npos; at += place.string().size()) {
    message.replace(at, from.size(), place.string());
  }
  return message;
}

/// What the command has connected the SoC to.
struct Connections {
  UartConnection uart;
  std::unique_ptr<LocalServer> gdb;  ///< null: no gdb
};

/// Completes the firmware's text. Returns why the file of --uart could not be written; empty: it was, or there is none.
std::string finish_text(UartSink& uart, Connections& connections, Provenance& provenance) {
  uart.end_line();
  connections.uart.close();
  uart.commit_log();
  try {
    if (const auto& file = connections.uart.text_file()) provenance.uart_file = uart.close_file(*file);
  } catch (const std::runtime_error& error) {
    return fmt::format("what the firmware printed: {}", error.what());
  }
  return {};
}

int run_into(ResultDirectory& directory, const RunCommand& command, const Scenario& scenario, Provenance provenance,
             Connections& connections) {
  const std::optional<std::string>& file = connections.uart.text_file();
  RunResult result;
  std::optional<UartSink> uart;
  std::optional<Interruption::Simulation> simulation;
  {
    ProgressLine progress(!command.quiet);
    RunRequest request;
    request.keep_tensors = scenario.record.tensors;
    request.begin = [&] {
      directory.begin();
      uart.emplace(connections.uart, command.quiet, directory.new_results() / "uart.log");
      simulation.emplace();
      connections.uart.wait_for_client(request.interrupted);
      announce(connections.gdb.get());
    };
    request.end = [&] { simulation.reset(); };
    request.uart = [&](std::string_view text) { uart->write(text, progress); };
    request.interrupted = [&] { return Interruption::asked() != 0; };
    request.progress = [&](const RunProgress& step) { progress.show(step); };
    request.uart_input = connections.uart.input();
    request.gdb = connections.gdb.get();
    request.stop_at_reset = command.gdb_attach.empty();
    request.say = [&](const std::string& note) {
      progress.clear();
      uart->end_line();
      say(note);
    };
    if (scenario.record.trace) request.trace = [&] { return directory.new_results() / "trace.json"; };
    if (scenario.record.vcd) request.vcd = [&] { return directory.new_results() / "signals.vcd"; };
    result = run_scenario(scenario, request);
  }

  const std::string uart_failure = finish_text(*uart, connections, provenance);
  if (!scenario.record.statistics) result.records.statistics = nullptr;
  provenance.files = directory.kept_files(result.passed());
  write_run(directory.new_results(), result, scenario.network,
            parameters_json(scenario, scenario.given, scenario.origins), provenance);
  if (file && uart_failure.empty()) uart->commit_file();
  const fs::path place = directory.commit(result.passed());
  for (const std::string& note : result.setup.notes) say(fmt::format("note: {}\n", note));
  if (!command.quiet) {
    const TerminalSummaryOptions options{terminal_width(STDOUT_FILENO), command.all_rows};
    fmt::print("\n{}\n  results in {}\n", summary_table(result, options), place.string());
  }
  if (!result.passed()) print_error(result.failure);
  if (!uart_failure.empty()) print_error(uart_failure);
  if (place != directory.path()) {
    print_error(fmt::format("{} has the results of an earlier run that passed, as before; those of this run are in {}",
                            directory.path().string(), place.string()));
  }
  if (const int signal = Interruption::asked()) {
    std::fflush(stdout);
    Interruption::end_by(signal);
  }
  return result.passed() && uart_failure.empty() ? exit_passed : exit_failed;
}

/// Whether what goes to the standard error comes out behind the standard output, as on a terminal.
bool standard_streams_are_one() {
  struct stat output {
  }, error{};
  return fstat(STDOUT_FILENO, &output) == 0 && fstat(STDERR_FILENO, &error) == 0 && output.st_dev == error.st_dev &&
         output.st_ino == error.st_ino;
}

/// The text of a bare program goes to the standard output, or to the file of --uart.
int run_bare_command(const RunCommand& command) {
  // A bare program needs only the SoC of a scenario: this one has the default.
  const std::string name = command.scenario.empty() ? "encoder_128x64" : command.scenario;
  const std::unique_ptr<Scenario> scenario = read_scenario(scenario_file(name), scenario_options(command.overrides));
  if (scenario->run.firmware.get().empty()) throw InputError("--bare: there is no program; expected --firmware ELF");
  UartConnection uart(command.uart);
  std::optional<OutputFile> output;
  bool line_open = false;
  const bool notes_follow = standard_streams_are_one();
  const auto end_line = [&] {
    if (std::exchange(line_open, false) && notes_follow) std::putchar('\n');
    std::fflush(stdout);
  };
  const std::unique_ptr<LocalServer> gdb = gdb_server(command);
  std::optional<Interruption::Simulation> simulation;
  RunRequest request;
  request.uart_input = uart.input();
  request.gdb = gdb.get();
  request.stop_at_reset = command.gdb_attach.empty();
  request.say = [&](const std::string& note) {
    end_line();
    say(note);
  };
  request.interrupted = [] { return Interruption::asked() != 0; };
  request.begin = [&] {
    if (uart.text_file()) output.emplace(*uart.text_file());
    simulation.emplace();
    uart.wait_for_client(request.interrupted);
    announce(gdb.get());
  };
  request.end = [&] { simulation.reset(); };
  request.uart = [&](std::string_view text) {
    if (output) {
      output->stream() << text << std::flush;
    } else if (uart.to_terminal() && !command.quiet) {
      std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
      if (!text.empty()) line_open = text.back() != '\n';
    }
    uart.send(text);
  };
  const BareResult result =
      run_bare(*scenario, command.files.empty() ? std::nullopt : std::optional<fs::path>(command.files), request);
  uart.close();
  if (output) output->commit();
  end_line();
  if (!command.quiet) {
    say(fmt::format("{} cycles, {} instructions, {:.9f} s of simulated time\n", result.cycles, result.instructions,
                    result.simulated_s));
  }
  if (!result.failure.empty()) print_error(result.failure);
  if (const int signal = Interruption::asked()) Interruption::end_by(signal);
  return result.failure.empty() ? exit_passed : exit_failed;
}

int run_command(const RunCommand& command, const Invocation& invocation) {
  if (command.bare) return run_bare_command(command);
  if (command.scenario.empty())
    throw InputError("run: there is no scenario; expected SCENARIO, or --bare --firmware ELF");
  if (!command.files.empty()) throw InputError("--files: expected --bare beside it");
  const std::unique_ptr<Scenario> scenario =
      read_scenario(scenario_file(command.scenario), scenario_options(command.overrides));
  Provenance provenance;
  provenance.build = invocation.build;
  provenance.command = invocation.arguments;
  describe_host(provenance);
  InputFiles inputs = inputs_of(*scenario);
  Connections connections{UartConnection(command.uart), nullptr};
  if (const auto& file = connections.uart.input_file()) inputs.emplace_back("--uart-input", *file);
  ResultDirectory directory(directory_of(command, *scenario), *scenario, inputs);
  directory.check(connections.uart.text_file());
  connections.gdb = gdb_server(command);
  provenance.inputs = hashes_of(*scenario, inputs);
  try {
    return run_into(directory, command, *scenario, std::move(provenance), connections);
  } catch (const std::runtime_error& error) {
    if (dynamic_cast<const InputError*>(&error) != nullptr || !directory.has_begun()) throw;
    throw std::runtime_error(with_final_places(error.what(), directory.new_results(), directory.path()));
  }
}

}  // namespace

void add_run_command(CommandLine& line) {
  const auto given = std::make_shared<Given>();
  CLI::App& app = *line.app.add_subcommand("run", "Simulate a scenario");
  app.add_option("scenario", given->command.scenario, scenario_help)->type_name("SCENARIO")->check(not_empty());
  add_set_option(app, given->sets);
  app.add_option("--out", given->command.directory, "Directory for the results (default: runs/NAME)")
      ->type_name("DIR")
      ->check(not_empty());
  app.add_option("--fidelity", given->keys.fidelity, "Timing of the array")
      ->type_name("cycle|fast")
      ->check(not_empty());
  app.add_flag("--no-data", given->keys.no_data, "Simulate time and energy without the numbers");
  app.add_flag("--dump", given->keys.dump, "Leave tensors.safetensors and weights.safetensors");
  app.add_flag("--trace", given->keys.trace, "Leave trace.json for the Perfetto UI");
  app.add_flag("--vcd", given->keys.vcd, "Leave signals.vcd for GTKWave");
  app.add_option("--firmware", given->keys.firmware, "Firmware for the host CPU")->type_name("ELF")->check(not_empty());
  app.add_option(
         "--uart", given->command.uart.text,
         "Where the firmware's text goes (default: stdio); tcp: both directions, on a port of 127.0.0.1 (0: any)")
      ->type_name("stdio|file:PATH|tcp:PORT");
  app.add_option("--uart-input", given->command.uart.input, "What the firmware's UART receives (default: none)")
      ->type_name("none|stdin|file:PATH");
  CLI::Option* const gdb = app.add_option("--gdb", given->command.gdb,
                                          "Stop at the reset and wait for gdb on this port of 127.0.0.1 (0: any)");
  gdb->type_name("PORT")->check(not_empty());
  app.add_option("--gdb-attach", given->command.gdb_attach, "Run on; gdb may connect to this port (0: any)")
      ->type_name("PORT")
      ->check(not_empty())
      ->excludes(gdb);
  app.add_flag("--bare", given->command.bare,
               "No network: the program of --firmware alone, on the SoC of the scenario or else the default one");
  app.add_option("--files", given->command.files, "With --bare: the directory whose files the program may open")
      ->type_name("DIR")
      ->check(not_empty());
  app.add_flag("--quiet", given->command.quiet, "No progress, no firmware text on the terminal, no table");
  app.add_flag("--kernels", given->command.all_rows,
               "Every layer and kernel in the table, not only what fits one screen");
  app.final_callback([&line, given] {
    line.selected = [&line, given] {
      given->command.overrides = parse_overrides(given->sets);
      given->keys.append_to(given->command.overrides);
      return run_command(given->command, line.invocation);
    };
  });
}

}  // namespace bvp
