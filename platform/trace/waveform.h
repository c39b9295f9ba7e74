// SPDX-License-Identifier: Apache-2.0
// Records the SoC's main signals in a VCD file, for GTKWave and similar programs.
#pragma once

#include <deque>
#include <filesystem>
#include <optional>
#include <systemc>

#include "models/sequencer/command_observer.h"
#include "platform/program/command_tags.h"
#include "platform/soc/soc.h"

namespace bvp {

/// The signals: interrupts; for the array and each DMA channel, whether it works and on which task and step (all ones:
/// none); the array's power state (as in the power controller's ARRAY_STATE); whether the CPU sleeps; bytes that the
/// DRAM has been told to read and to write, in whole bursts.
class Waveform : public sc_core::sc_module, public CommandObserver {
 public:
  /// @param path  ends in .vcd
  /// @param tasks  of the network
  /// @throws std::runtime_error  the file cannot be written
  Waveform(sc_core::sc_module_name name, const std::filesystem::path& path, Soc& soc, u32 dma_channels,
           std::size_t tasks);
  ~Waveform() override;

  /// Completes the file. @throws std::runtime_error  the file could not be written
  void close();

  void command_started(const Command& command, Cycle cycle) override;
  void command_completed(const Command& command, Cycle cycle) override;
  void kernel_launched(const Command& command, const LaunchPhases& phases, Cycle cycle) override;
  void cpu_asleep(bool asleep) { cpu_asleep_ = asleep; }
  void array_power(ArrayPower power) { array_power_ = static_cast<u8>(power); }
  void dram_burst(bool write, u64 bytes);

 private:
  static constexpr u32 no_task = 0xffffffff;
  static constexpr u16 no_step = 0xffff;
  struct UnitSignals {
    explicit UnitSignals(const std::string& name)
        : busy((name + "_busy").c_str()),
          task((name + "_task").c_str(), no_task),
          step((name + "_step").c_str(), no_step) {}
    void begin(const std::optional<TaskStep>& of);
    void end();
    void trace(sc_core::sc_trace_file* file) const;
    sc_core::sc_signal<bool> busy;
    sc_core::sc_signal<u32> task;
    sc_core::sc_signal<u16> step;
  };

  const std::filesystem::path path_;
  CommandTags tags_;
  UnitSignals array_;
  std::vector<std::unique_ptr<UnitSignals>> channels_;
  std::deque<std::optional<TaskStep>> launches_;  // those on the array
  // SystemC looks at them when time has passed.
  bool cpu_asleep_ = false;
  u8 array_power_ = 0;
  u64 dram_read_bytes_ = 0, dram_written_bytes_ = 0;
  sc_core::sc_trace_file* file_ = nullptr;
};

}  // namespace bvp
