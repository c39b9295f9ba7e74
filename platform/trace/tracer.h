// SPDX-License-Identifier: Apache-2.0
// Records a run in a trace file: layers, tasks and kernels, DMA transfers, the units of each PE, the firmware, states
// of CPU and array; power, traffic and utilisation as counters.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/base/power_state.h"
#include "models/pe/unit_span.h"
#include "models/sequencer/command_observer.h"
#include "platform/power/power_trace.h"
#include "platform/program/compiled_network.h"
#include "platform/trace/trace_file.h"

namespace bvp {

class Tracer : public CommandObserver {
 public:
  /// The parts that have tracks: PEs by name, channels by number.
  struct Tracks {
    std::vector<std::string> pes;
    u32 dma_channels = 0, dram_channels = 0;
    bool firmware = false;  ///< functions and accesses of the firmware
  };

  /// The least `max_bytes`.
  [[nodiscard]] static u64 least_bytes(const Tracks& tracks);

  /// `compiled` must outlive the tracer. `clock_hz`: of the accelerator's cycles.
  Tracer(const std::filesystem::path& path, u64 max_bytes, const CompiledNetwork& compiled, double clock_hz,
         const Tracks& tracks);

  void command_started(const Command& command, Cycle cycle) override;
  void command_completed(const Command& command, Cycle cycle) override;
  void kernel_launched(const Command& command, const LaunchPhases& phases, Cycle cycle) override;
  void unit_busy(const UnitSpan& span);
  /// Data on the bus of a DRAM channel; neighbouring accesses become one slice.
  void dram_transfer(u32 channel, bool write, u64 bytes, double begin_s, double end_s);
  void cpu_asleep(bool asleep, double now_s);
  void array_power(ArrayPower power, double now_s);
  /// A call of a function of the firmware, with all that it has called.
  void firmware_function(const std::string& name, double begin_s, double end_s);
  /// An access of the firmware to a register of a device.
  void register_access(const std::string& name, double begin_s, double end_s);

  /// Ends open slices (transfers and a kernel in flight as "not finished"), adds the counters, closes the file.
  /// @throws std::runtime_error  the file could not be written
  void finish(Cycle now, const PowerTrace& power);

  [[nodiscard]] u64 dropped() const { return file_.dropped(); }

 private:
  struct Span {
    Cycle begin = 0, end = 0;
    bool seen = false;
    void extend(Cycle from, Cycle to);
  };
  [[nodiscard]] double seconds(Cycle cycle) const { return static_cast<double>(cycle) / clock_hz_; }
  [[nodiscard]] const KernelInfo* kernel_of(const std::optional<TaskStep>& step) const;
  [[nodiscard]] std::string name_of(const std::optional<TaskStep>& step) const;
  void touch_task(const std::optional<TaskStep>& step, Cycle cycle);
  void draw_inference();
  void draw_counters(const PowerTrace& power);

  TraceFile file_;
  const CompiledNetwork& compiled_;
  const double clock_hz_;
  CommandTags tags_;
  std::map<TaskStep, const KernelInfo*> kernels_;
  /// A command that its unit carries out.
  struct Open {
    std::optional<TaskStep> step;  // nullopt: the command is not the network's
    Cycle begin = 0;
  };
  void draw_transfer(u32 channel, const Open& transfer, Cycle end, const char* remark);
  void draw_launch(Cycle end, const char* remark);
  std::deque<Open> launched_;
  Cycle array_busy_until_ = 0;
  std::vector<std::optional<Open>> transfers_;  // by DMA channel
  // The state of the present inference.
  std::vector<Span> tasks_;
  std::map<u32, Span> layers_;
  struct Traffic {
    double begin_s = 0, end_s = 0, drawn_to_s = 0;
    u64 bytes = 0;
  };
  void draw(std::size_t track);
  std::vector<Traffic> dram_;  // [channel][read, write]
  bool cpu_asleep_ = false;
  double cpu_since_s_ = 0;
  ArrayPower array_power_ = ArrayPower::on;
  double array_power_since_s_ = 0;
};

}  // namespace bvp
