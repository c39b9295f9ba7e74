// SPDX-License-Identifier: Apache-2.0
// Defines the command `butterfly-vp run`.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "platform/cli/commands.h"
#include "platform/cli/made_files.h"
#include "platform/cli/ports.h"
#include "platform/cli/progress_line.h"
#include "platform/cli/register_names.h"
#include "platform/cli/result_directory.h"
#include "platform/cli/terminal.h"
#include "platform/cli/uart_connection.h"
#include "platform/config/parameters_json.h"
#include "platform/profile/line_table.h"
#include "platform/profile/profile_report.h"
#include "platform/report/summary.h"
#include "platform/report/terminal_summary.h"
#include "platform/run/bare_run.h"
#include "platform/run/firmware_watch.h"
#include "platform/run/machine.h"
#include "platform/run/run.h"
#include "platform/support/input_file.h"
#include "platform/support/interruption.h"
#include "platform/support/local_server.h"
#include "platform/support/output_file.h"
#include "platform/support/printable.h"
#include "platform/support/seal.h"
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
  bool profile = false;
  std::string coverage;  ///< file; empty: none
  struct Log {
    std::vector<std::string> kinds, modules;
    std::string file, range;  ///< empty: the standard error; all addresses
  } log;
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
  const std::string& dataset = scenario.run.dataset;
  if (!weights.empty()) inputs.emplace_back("run.weights", weights);
  if (!input.empty()) inputs.emplace_back("run.input", input);
  if (!dataset.empty()) inputs.emplace_back("run.dataset", dataset);
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

/// @throws InputError  the text is not FIRST-LAST
std::pair<u64, u64> address_range(const std::string& option, const std::string& text) {
  std::pair<u64, u64> range;
  const std::size_t middle = text.find('-');
  const auto read = [&](const std::string& part, u64& value) {
    const int base = part.compare(0, 2, "0x") == 0 ? 16 : 10;
    const char* begin = part.c_str() + (base == 16 ? 2 : 0);
    const auto [end, error] = std::from_chars(begin, part.c_str() + part.size(), value, base);
    return error == std::errc() && end == part.c_str() + part.size();
  };
  if (middle != std::string::npos && read(text.substr(0, middle), range.first) &&
      read(text.substr(middle + 1), range.second) && range.first <= range.second) {
    return range;
  }
  throw InputError(fmt::format("{} {}: expected two addresses such as 0x20000000-0x20001fff", option, printable(text)));
}

/// What is observed of the firmware.
class Observation {
 public:
  /// @throws InputError  what is asked for is not possible
  Observation(const RunCommand& command, const Scenario& scenario, const InputFiles& inputs) : command_(command) {
    if (!is_wanted()) return;
    if (!command.gdb.empty() || !command.gdb_attach.empty()) {
      throw InputError("--profile, --coverage, --log: expected no --gdb or --gdb-attach beside them");
    }
    watch_ = std::make_unique<FirmwareWatch>();
    if (command.profile) watch_->profile();
    if (command.profile && scenario.record.trace) {
      const auto names = std::make_shared<const RegisterNames>(std::vector<std::string>{});
      watch_->name_registers([names](u64 address, bool write) { return names->name(address, write); });
    }
    if (!command.log.kinds.empty()) watch_->log(log_options(inputs));
    if (command.coverage.empty()) return;
    check_replaceable(command.coverage, inputs, Sealed::coverage);
    watch_->cover(read_line_table(firmware_of(scenario)));
  }
  /// Null: nothing is.
  [[nodiscard]] FirmwareWatch* watch() const { return watch_.get(); }
  /// Whether the log goes to the standard error.
  [[nodiscard]] bool is_shown() const { return !command_.log.kinds.empty() && command_.log.file.empty(); }

  /// @param energy_j  of the CPU, by action; empty: unknown
  [[nodiscard]] std::optional<ProfileReport> report(std::map<std::string, double> energy_j) const {
    if (!watch_ || watch_->profiler() == nullptr) return std::nullopt;
    return ProfileReport{*watch_->profiler(), watch_->cycle(), std::move(energy_j)};
  }
  /// @throws std::runtime_error  it cannot be written
  void write_coverage() const {
    if (watch_ && watch_->coverage() != nullptr) write_file(command_.coverage, watch_->coverage()->lcov());
  }

 private:
  [[nodiscard]] bool is_wanted() const {
    return command_.profile || !command_.coverage.empty() || !command_.log.kinds.empty();
  }

  FirmwareLog::Options log_options(const InputFiles& inputs) {
    const RunCommand::Log& log = command_.log;
    FirmwareLog::Options options;
    const auto wants = [&](const char* kind) {
      return std::find(log.kinds.begin(), log.kinds.end(), kind) != log.kinds.end();
    };
    options.instructions = wants("instructions");
    options.traps = wants("traps");
    options.registers = wants("registers");
    if (!log.range.empty()) std::tie(options.first, options.last) = address_range("--log-range", log.range);
    const auto names = std::make_shared<const RegisterNames>(log.modules);
    options.register_text = [names](u64 address, u64 value, bool write) { return names->text(address, value, write); };
    if (log.file.empty()) {
      options.write = [](const std::string& line) { say(line); };
      return options;
    }
    check_replaceable(log.file, inputs, std::nullopt);
    // Whoever reads the file during the run, or after it was killed, finds all lines up to then.
    const auto file = std::make_shared<std::ofstream>(log.file);
    options.write = [file](const std::string& line) { *file << line << std::flush; };
    return options;
  }

  const RunCommand& command_;
  std::unique_ptr<FirmwareWatch> watch_;
};

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

std::map<std::string, double> cpu_energy(const RunResult& result) {
  const auto found = result.energy.by_action_j.find("cpu");
  return found == result.energy.by_action_j.end() ? std::map<std::string, double>{} : found->second;
}

void write_profile(const fs::path& directory, const ProfileReport& report) {
  write_file(directory / "profile.json", report.json());
  write_file(directory / "profile.folded", report.folded());
}

/// Results of a run that failed do not replace those of one that passed.
void say_of_earlier(const ResultDirectory& directory, const fs::path& place) {
  if (place != directory.path()) {
    print_error(fmt::format("{} has the results of an earlier run that passed, as before; those of this run are in {}",
                            directory.path().string(), place.string()));
  }
}

int run_into(ResultDirectory& directory, const RunCommand& command, const Scenario& scenario, Provenance provenance,
             Connections& connections, const Observation& observation) {
  const std::optional<std::string>& file = connections.uart.text_file();
  RunResult result;
  std::optional<UartSink> uart;
  std::optional<Interruption::Simulation> simulation;
  {
    ProgressLine progress(!command.quiet && !observation.is_shown());
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
    request.watch = observation.watch();
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
  const std::optional<ProfileReport> profile = observation.report(cpu_energy(result));
  if (profile) write_profile(directory.new_results(), *profile);
  write_run(directory.new_results(), result, scenario.network,
            parameters_json(scenario, scenario.given, scenario.origins), provenance);
  if (file && uart_failure.empty()) uart->commit_file();
  const fs::path place = directory.commit(result.passed());
  observation.write_coverage();
  for (const std::string& note : result.setup.notes) say(fmt::format("note: {}\n", note));
  if (!command.quiet) {
    const TerminalSummaryOptions options{terminal_width(STDOUT_FILENO), command.all_rows};
    if (profile) fmt::print("\n{}", profile->table(options.width));
    fmt::print("\n{}\n  results in {}\n", summary_table(result, options), place.string());
  }
  if (!result.passed()) print_error(result.failure);
  if (!uart_failure.empty()) print_error(uart_failure);
  say_of_earlier(directory, place);
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

/// What is observed of a bare program, whose profile goes to --out.
class BareObservation {
 public:
  BareObservation(const RunCommand& command, const Scenario& scenario)
      : command_(command), inputs_{{"run.firmware", firmware_of(scenario)}} {
    if (command.profile && !command.directory.empty()) files_.emplace(command.directory, "manifest.json");
    if (files_) files_->check(inputs_);
    observation_.emplace(command, scenario, inputs_);
  }
  [[nodiscard]] FirmwareWatch* watch() const { return observation_->watch(); }

  /// Prints and writes it. @throws std::runtime_error  it cannot be written
  void finish() {
    observation_->write_coverage();
    const std::optional<ProfileReport> profile = observation_->report({});
    if (!profile) return;
    if (!command_.quiet) say("\n" + profile->table(terminal_width(STDERR_FILENO)));
    if (!files_) return;
    const std::string json = profile->json(), folded = profile->folded();
    files_->add("profile.json", json);
    files_->add("profile.folded", folded);
    files_->commit({{"seal", nullptr}}, inputs_);
  }

 private:
  const RunCommand& command_;
  const InputFiles inputs_;
  std::optional<MadeFiles> files_;
  std::optional<Observation> observation_;
};

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
  BareObservation observation(command, *scenario);
  const std::unique_ptr<LocalServer> gdb = gdb_server(command);
  std::optional<Interruption::Simulation> simulation;
  RunRequest request;
  request.watch = observation.watch();
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
  observation.finish();
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
  if (command.profile) directory.expect_profile();
  directory.check(connections.uart.text_file());
  const Observation observation(command, *scenario, inputs);
  connections.gdb = gdb_server(command);
  provenance.inputs = hashes_of(*scenario, inputs);
  try {
    return run_into(directory, command, *scenario, std::move(provenance), connections, observation);
  } catch (const std::runtime_error& error) {
    if (dynamic_cast<const InputError*>(&error) != nullptr || !directory.has_begun()) throw;
    throw std::runtime_error(with_final_places(error.what(), directory.new_results(), directory.path()));
  }
}

}  // namespace

namespace {

/// Options on what is observed of the firmware.
void add_observations(CLI::App& app, RunCommand& command) {
  app.add_flag("--profile", command.profile,
               "Where the firmware spends its time: a table, profile.json, and profile.folded for flame graphs");
  app.add_option("--coverage", command.coverage, "Which lines of the firmware have run, in the format of lcov")
      ->type_name("FILE")
      ->check(not_empty());
  CLI::Option* const log = app.add_option(
      "--log", command.log.kinds, "What the firmware does: instructions, traps (and interrupts), registers of devices");
  log->type_name("instructions|traps|registers,...")
      ->delimiter(',')
      ->check(CLI::IsMember({"instructions", "traps", "registers"}));
  app.add_option("--log-file", command.log.file, "File for the log (default: the standard error)")
      ->type_name("FILE")
      ->check(not_empty())
      ->needs(log);
  app.add_option("--log-modules", command.log.modules, "Log registers of these devices alone, as uart,sequencer")
      ->type_name("NAME,...")
      ->delimiter(',')
      ->check(not_empty())
      ->needs(log);
  app.add_option("--log-range", command.log.range, "Log instructions at these addresses alone, and what they do")
      ->type_name("FIRST-LAST")
      ->check(not_empty())
      ->needs(log);
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
  add_observations(app, given->command);
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
