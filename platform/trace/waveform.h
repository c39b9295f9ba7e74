// SPDX-License-Identifier: Apache-2.0
// The SoC's main signals as a VCD file, for GTKWave and the like.
#pragma once

#include <deque>
#include <filesystem>
#include <systemc>

#include "models/sequencer/command_observer.h"
#include "platform/soc/soc.h"

namespace bvp {

/// Signals: interrupts; whether the array and each DMA channel work, and on which task and step (0xffff: none).
class Waveform : public sc_core::sc_module, public CommandObserver {
 public:
  /// @param path  ends in .vcd  @throws std::runtime_error  the file cannot be written
  Waveform(sc_core::sc_module_name name, const std::filesystem::path& path, Soc& soc, u32 dma_channels);
  ~Waveform() override;

  void command_started(const Command& command, Cycle cycle) override;
  void command_completed(const Command& command, Cycle cycle) override;
  void kernel_launched(const Command& command, const LaunchPhases& phases, Cycle cycle) override;

 private:
  struct UnitSignals {
    explicit UnitSignals(const std::string& name)
        : busy((name + "_busy").c_str()), task((name + "_task").c_str()), step((name + "_step").c_str()) {}
    void begin(u32 tag);
    void end();
    void trace(sc_core::sc_trace_file* file) const;
    sc_core::sc_signal<bool> busy;
    sc_core::sc_signal<u16> task, step;
  };

  const std::filesystem::path path_;
  UnitSignals array_;
  std::vector<std::unique_ptr<UnitSignals>> channels_;
  std::deque<u32> launches_;  // tags of those on the array
  sc_core::sc_trace_file* file_ = nullptr;
};

}  // namespace bvp
