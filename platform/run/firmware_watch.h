// SPDX-License-Identifier: Apache-2.0
// Observes the firmware of a run, instruction by instruction, without a change of when anything happens.
#pragma once

#include <optional>

#include "models/cpu/cpu_debugger.h"
#include "platform/profile/coverage.h"
#include "platform/profile/firmware_log.h"
#include "platform/profile/firmware_slices.h"
#include "platform/profile/profiler.h"
#include "platform/run/symbol_table.h"
#include "platform/soc/soc.h"

namespace bvp {

/// The caller of run_scenario() or run_bare() makes it, says what it wants, and reads it after the run.
class FirmwareWatch : private CpuDebugger {
 public:
  /// What the run is to find out.
  void profile() { wants_profile_ = true; }
  void log(FirmwareLog::Options options) { log_options_ = std::move(options); }
  /// Functions and accesses to registers go into the trace, if the run leaves one; for that it needs profile().
  void name_registers(FirmwareSlices::RegisterName name) { register_name_ = std::move(name); }
  [[nodiscard]] bool has_slices() const { return wants_profile_ && register_name_ != nullptr; }
  void cover(LineTable table) { coverage_.emplace(std::move(table)); }

  /// The run calls these: before it begins, and at its end while the SoC is there.
  void attach(Soc& soc, const CpuParameters& parameters, const SymbolTable& symbols);
  void detach(Soc& soc);
  /// To be called after attach(), where has_slices().
  void draw(FirmwareSlices::Sinks sinks);

  [[nodiscard]] const Profiler* profiler() const { return profiler_ ? &*profiler_ : nullptr; }
  [[nodiscard]] const Coverage* coverage() const { return coverage_ ? &*coverage_ : nullptr; }
  /// Of the profiler's times, how many make a cycle of the CPU.
  [[nodiscard]] u64 cycle() const { return cycle_; }

 private:
  bool stops_before(u64 pc) override;
  [[nodiscard]] bool stopped() override { return true; }
  void halting(u64) override {}

  bool wants_profile_ = false;
  std::optional<Profiler> profiler_;
  std::optional<Coverage> coverage_;
  FirmwareSlices::RegisterName register_name_;
  std::optional<FirmwareSlices> slices_;
  ObservedCpu observed_;
  std::optional<FirmwareLog::Options> log_options_;
  std::optional<FirmwareLog> log_;
  u64 cycle_ = 1;
};

}  // namespace bvp
