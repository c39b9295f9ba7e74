// SPDX-License-Identifier: Apache-2.0
// The simulation of a run: starts it, watches it, records it, and says how it ended.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/base/signal.h"
#include "models/power/area_table.h"
#include "models/power/energy_table.h"
#include "platform/debug/debugger.h"
#include "platform/power/power_monitor.h"
#include "platform/run/critical_path.h"
#include "platform/run/kernel_recorder.h"
#include "platform/run/loader.h"
#include "platform/run/not_finite_recorder.h"
#include "platform/run/progress_estimate.h"
#include "platform/run/region_recorder.h"
#include "platform/run/run.h"
#include "platform/trace/tracer.h"
#include "platform/trace/waveform.h"

namespace bvp {

/// The last line that has text, of a text that arrives character by character, together with the indented lines below
/// it; unprintable characters become dots.
class LastLine {
 public:
  void add(char character);
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
  bool ended_ = false;
};

/// How the simulation ended.
struct SessionEnd {
  std::string failure;         ///< one sentence; empty: the firmware ended with exit code 0
  int firmware_exit_code = 0;  ///< exit code of the firmware; -1: it did not end
  double host_seconds = 0;
};

/// The records made during the simulation, except those of kernels and regions.
struct SessionRecords {
  PowerTrace power;
  u64 trace_events_dropped = 0;
};

/// One simulation of a SoC that has been built and not been started. All arguments must outlive it.
class Session {
 public:
  struct Pricing {
    const EnergyTable& table;
    const MachineSize& size;
  };
  Session(Soc& soc, const Scenario& scenario, const RunInputs& inputs, const RunRequest& request, Pricing pricing);

  /// Simulates until the firmware, the CPU, the time limit or the caller ends the run; then settles the statistics.
  [[nodiscard]] SessionEnd simulate();
  /// Writes and closes the records. Call it after simulate() and before the SoC is destroyed.
  [[nodiscard]] SessionRecords close_records();

  /// All that commands of the run can belong to.
  [[nodiscard]] const CompiledNetwork& tasks() const { return tasks_; }
  [[nodiscard]] const KernelRecorder& kernels() const { return kernels_; }
  [[nodiscard]] const RegionRecorder& regions() const { return regions_; }
  [[nodiscard]] const CriticalPath& path() const { return path_; }
  [[nodiscard]] NotFiniteResults not_finite() const { return not_finite_ ? not_finite_->found() : NotFiniteResults{}; }

 private:
  void start_records(Pricing pricing);
  void observe_states();
  [[nodiscard]] bool traces_firmware() const;
  void connect(std::vector<Connection> connections);
  void watch_the_end();
  void run_to_the_end(SessionEnd& end);
  /// Simulates up to that time, or to where the run ends.
  void advance_to(const sc_core::sc_time& time);
  /// Whether the run cannot end any more, because nothing can happen.
  [[nodiscard]] bool is_stuck() const;
  void report_progress();
  [[nodiscard]] std::string describe_end() const;
  [[nodiscard]] std::string describe_array() const;

  Soc& soc_;
  const Scenario& scenario_;
  const RunInputs& inputs_;
  const RunRequest& request_;
  const CompiledNetwork tasks_;
  KernelRecorder kernels_;
  RegionRecorder regions_;
  CriticalPath path_;
  std::optional<NotFiniteRecorder> not_finite_;  // only in runs with data
  ProgressEstimate estimate_;
  RunProgress progress_;
  LastLine last_line_;  // of the firmware
  std::unique_ptr<Debugger> debugger_;
  std::unique_ptr<PowerMonitor> power_;
  std::unique_ptr<Tracer> tracer_;
  std::unique_ptr<Waveform> waveform_;
  bool ended_ = false;
  std::optional<int> exit_code_;
  std::vector<Connection> connections_;  // to the SoC's signals
};

}  // namespace bvp
