// SPDX-License-Identifier: Apache-2.0
// Runs one scenario: builds the SoC, loads firmware and network, simulates, verifies.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "models/base/types.h"
#include "platform/metrics/run_result.h"
#include "platform/scenario/scenario.h"

namespace bvp {

class CharacterSource;
class FirmwareWatch;
class LocalServer;

/// The firmware that the scenario names, or else the platform's own. @throws InputError  the latter is not there
[[nodiscard]] std::filesystem::path firmware_of(const Scenario& scenario);

/// The progress of a run; tasks are operators of the network in the order of the firmware.
struct RunProgress {
  enum class Stage { preparing, simulating, verifying };
  Stage stage = Stage::preparing;
  // While it simulates:
  std::string task;    ///< that runs; empty: no kernel of the network was launched yet
  u64 task_index = 0;  ///< of that task
  u64 task_count = 0;
  double done = 0;  ///< 0 to 1: share of the cycles that the plan expects
  double simulated_s = 0;
};

/// Requests of the caller for the time while the scenario runs. All callbacks may be empty; they are called from the
/// thread that called run_scenario.
struct RunRequest {
  /// Keep input, token ids, weights and outputs in RunResult::data.
  bool keep_tensors = false;
  /// Called when all inputs were read and found valid; the simulation begins.
  std::function<void()> begin;
  /// Called when the simulation has ended and its records are written; verification begins.
  std::function<void()> end;
  /// What the UART receives; null: nothing.
  CharacterSource* uart_input = nullptr;
  /// Called for every piece of text that the firmware sends through the UART.
  std::function<void(std::string_view)> uart;
  std::function<void(const RunProgress&)> progress;
  /// Called at least once in 10 microseconds of simulated time; returning true ends the run as failed, with its
  /// results.
  std::function<bool()> interrupted;
  /// Called after begin(); returns the files to write while the simulation runs: a trace, a waveform. Empty: none.
  std::function<std::filesystem::path()> trace, vcd;
  /// Where gdb connects, if not null.
  LocalServer* gdb = nullptr;
  bool stop_at_reset = true;                    ///< the simulation begins when gdb has connected and lets it
  std::function<void(const std::string&)> say;  ///< called with notes about gdb
  /// Observes the firmware, if not null; not together with gdb.
  FirmwareWatch* watch = nullptr;
};

/// Simulates the scenario to its end. Touches no file except those that the scenario names as inputs and those of the
/// request.
/// A run that the firmware ended with an error, that exceeded the time limit or that failed verification returns
/// normally with `failure` set.
/// @throws InputError  an input that the scenario names is missing, corrupt or impossible on this SoC
RunResult run_scenario(const Scenario& scenario, const RunRequest& request);

}  // namespace bvp
