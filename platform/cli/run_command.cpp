// SPDX-License-Identifier: Apache-2.0
// butterfly-vp run
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <optional>

#include "platform/cli/commands.h"
#include "platform/report/summary.h"
#include "platform/run/run.h"
#include "platform/scenario/parameters_json.h"

namespace bvp {
namespace {

namespace fs = std::filesystem;

/// Progress on stderr: one line that is rewritten on a terminal, otherwise a line every few seconds.
class ProgressLine {
 public:
  explicit ProgressLine(bool enabled) : enabled_(enabled), terminal_(isatty(STDERR_FILENO) != 0) {}
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const RunProgress& progress) {
    const auto now = std::chrono::steady_clock::now();
    const auto interval = terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(2000);
    if (!enabled_ || now - last_ < interval) return;
    last_ = now;
    const std::string text = fmt::format("task {} of {}: {:.48}, {:.3f} ms simulated", progress.task_index + 1,
                                         progress.task_count, progress.task, 1e3 * progress.simulated_s);
    fmt::print(stderr, terminal_ ? "\r\x1b[K{}" : "{}\n", text);
    std::fflush(stderr);
    visible_ = terminal_;
  }

  /// Makes room for other output on the terminal.
  void clear() {
    if (visible_) fmt::print(stderr, "\r\x1b[K");
    visible_ = false;
  }

 private:
  bool enabled_, terminal_;
  bool visible_ = false;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

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
      : log_(open(directory / "uart.log")), to_stdout_(!file && !quiet) {
    if (file) file_ = open(*file);
  }

  void write(std::string_view text, ProgressLine& progress) {
    log_ << text;
    file_ << text;
    if (!to_stdout_) return;
    progress.clear();
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
    if (!text.empty()) line_open_ = text.back() != '\n';
  }

  /// Ends a line that the firmware left open. @throws InputError  what the firmware printed could not be written
  void finish() {
    if (line_open_) fmt::print("\n");
    log_.flush();
    file_.flush();
    if (!log_ || (file_.is_open() && !file_))
      throw InputError("what the firmware printed cannot be written (is the disk full?)");
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

/// While it lives, the first interrupt or termination signal only asks the simulation to end; a second one kills.
class Interruption {
 public:
  Interruption() {
    signal_ = 0;
    for (std::size_t i = 0; i < signals.size(); ++i) previous_[i] = std::signal(signals[i], note);
  }
  ~Interruption() {
    for (std::size_t i = 0; i < signals.size(); ++i) std::signal(signals[i], previous_[i]);
  }
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  [[nodiscard]] bool asked() const { return signal_ != 0; }

 private:
  static constexpr std::array<int, 3> signals{SIGINT, SIGTERM, SIGHUP};
  static void note(int signal) {
    signal_ = signal;
    std::signal(signal, SIG_DFL);
  }

  static volatile std::sig_atomic_t signal_;
  std::array<void (*)(int), signals.size()> previous_{};
};

volatile std::sig_atomic_t Interruption::signal_ = 0;

fs::path directory_of(const RunCommand& command, const Scenario& scenario) {
  return command.directory.empty() ? fs::path("runs") / scenario.name.get() : fs::path(command.directory);
}

void make_directory(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error || !fs::is_directory(directory)) {
    throw InputError(fmt::format("{}: the directory for the results cannot be made: {}", directory.string(),
                                 error ? error.message() : "it is not a directory"));
  }
}

/// Results of an earlier run must not be taken for this one's, should this one fail half-way.
void remove_old_results(const fs::path& directory) {
  std::error_code ignored;
  for (const char* name : {"summary.json", "report.html", "network.json", "parameters.json", "prices.json",
                           "statistics.json", "statistics.csv", "power.csv", "trace.json", "signals.vcd",
                           "tensors.safetensors", "weights.safetensors", "tokens.safetensors"}) {
    fs::remove(directory / name, ignored);
  }
}

}  // namespace

int run_command(const RunCommand& command) {
  const std::unique_ptr<Scenario> scenario = read_scenario(command.scenario, scenario_options(command.overrides));
  const fs::path directory = directory_of(command, *scenario);
  const std::optional<std::string> file = uart_file(command.uart);

  RunResult result;
  {
    ProgressLine progress(!command.quiet);
    std::optional<UartSink> uart;
    const Interruption interruption;
    RunRequest request;
    request.keep_tensors = scenario->record.tensors;
    request.begin = [&] {
      make_directory(directory);
      remove_old_results(directory);
      uart.emplace(file, command.quiet, directory);
    };
    request.uart = [&](std::string_view text) { uart->write(text, progress); };
    request.interrupted = [&] { return interruption.asked(); };
    request.progress = [&](const RunProgress& step) { progress.show(step); };
    if (scenario->record.trace) request.trace = directory / "trace.json";
    if (scenario->record.vcd) request.vcd = directory / "signals.vcd";
    result = run_scenario(*scenario, request);
    uart->finish();
  }

  if (!scenario->record.statistics) result.statistics = nullptr;
  write_run(directory, result, scenario->network, parameters_json(*scenario));
  if (!command.quiet) fmt::print("\n{}\n  results in {}\n", summary_table(result), directory.string());
  if (!result.passed()) fmt::print(stderr, "error: {}\n", result.failure);
  return result.passed() ? exit_passed : exit_failed;
}

}  // namespace bvp
