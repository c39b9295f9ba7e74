// SPDX-License-Identifier: Apache-2.0
#include "platform/trace/tracer.h"

#include <fmt/format.h>

#include <algorithm>

namespace bvp {

namespace {

using Track = TraceFile::Track;

constexpr u32 network_process = 1, cpu_process = 2, array_process = 3, dma_process = 4, dram_process = 5,
              counter_process = 6, first_pe_process = 10;
constexpr Track cpu_track{cpu_process, 0};
/// DRAM accesses that are closer become one slice.
constexpr double dram_gap_s = 50e-9;
constexpr u64 dram_access_bytes = 64;
constexpr Track kernel_track{array_process, 0};
/// The weights of a task arrive while the one before still runs: neighbours take turns.
constexpr u32 task_tracks = 3;

}  // namespace

Tracer::Tracer(const std::filesystem::path& path, u64 max_bytes, const CompiledNetwork& compiled, double clock_hz,
               u32 pes, u32 dma_channels, u32 dram_channels)
    : file_(path, max_bytes),
      compiled_(compiled),
      clock_hz_(clock_hz),
      transfer_began_(dma_channels),
      tasks_(compiled.tasks.size()),
      dram_(2 * std::size_t{dram_channels}) {
  for (const KernelInfo& kernel : compiled.kernels) kernels_[kernel.tag] = &kernel;
  file_.name_process(network_process, "network");
  for (u32 i = 0; i < task_tracks; ++i) file_.name_thread({network_process, i}, "tasks");
  file_.name_process(cpu_process, "CPU");
  file_.name_thread(cpu_track, "core");
  file_.name_process(array_process, "array");
  file_.name_thread(kernel_track, "kernels");
  file_.name_process(dma_process, "DMA");
  for (u32 i = 0; i < dma_channels; ++i) file_.name_thread({dma_process, i}, fmt::format("channel {}", i));
  file_.name_process(dram_process, "DRAM");
  for (u32 i = 0; i < dram_channels; ++i) {
    file_.name_thread({dram_process, 2 * i}, fmt::format("channel {} reads", i));
    file_.name_thread({dram_process, 2 * i + 1}, fmt::format("channel {} writes", i));
  }
  file_.name_process(counter_process, "power and traffic");
  for (u32 pe = 0; pe < pes; ++pe) {
    file_.name_process(first_pe_process + pe, fmt::format("PE {}", pe));
    for (u32 unit = 0; unit < unit_count; ++unit) file_.name_thread({first_pe_process + pe, unit}, unit_names[unit]);
  }
}

std::string Tracer::command_name(const Command& command) const {
  const auto kernel = kernels_.find(command.tag);
  if (kernel != kernels_.end()) return kernel->second->name;
  const u32 task = command.tag >> 16;
  return task < compiled_.tasks.size() ? compiled_.tasks[task].name : "end";
}

void Tracer::touch_task(const Command& command, Cycle cycle) {
  const u32 task = command.tag >> 16;
  if (task >= tasks_.size()) return;
  TaskSpan& span = tasks_[task];
  if (!span.seen) span.begin = cycle;
  span.seen = true;
  span.end = cycle;
}

void Tracer::command_started(const Command& command, Cycle cycle) {
  touch_task(command, cycle);
  if (command.opcode == static_cast<u8>(CommandOpcode::dma)) transfer_began_.at(command.unit) = cycle;
}

void Tracer::kernel_launched(const Command&, const LaunchPhases&, Cycle cycle) { launched_.push_back(cycle); }

void Tracer::command_completed(const Command& command, Cycle cycle) {
  touch_task(command, cycle);
  if (command.opcode == static_cast<u8>(CommandOpcode::dma)) {
    file_.slice({dma_process, command.unit}, command_name(command), seconds(transfer_began_.at(command.unit)),
                seconds(cycle), true);
  } else if (command.opcode == static_cast<u8>(CommandOpcode::launch) && !launched_.empty()) {
    // Launches complete in order; one that overlaps the one before has the array to itself from that one's end.
    const Cycle begin = std::max(launched_.front(), array_busy_until_);
    launched_.pop_front();
    array_busy_until_ = cycle;
    file_.slice(kernel_track, command_name(command), seconds(begin), seconds(cycle), false);
  }
}

void Tracer::unit_busy(u32 pe, Unit unit, u8 tag, Cycle begin, Cycle end) {
  if (end == begin) return;
  file_.slice({first_pe_process + pe, static_cast<u32>(unit)}, fmt::format("layer {}", tag), seconds(begin),
              seconds(end), true);
}

void Tracer::dram_transfer(u32 channel, bool write, double begin_s, double end_s) {
  const std::size_t track = 2 * channel + (write ? 1 : 0);
  Traffic& open = dram_.at(track);
  if (open.accesses > 0 && begin_s > open.end_s + dram_gap_s) draw(track);
  if (open.accesses == 0) open.begin_s = std::max(begin_s, open.drawn_to_s);
  open.end_s = std::max({open.begin_s, open.end_s, end_s});
  ++open.accesses;
}

void Tracer::draw(std::size_t track) {
  Traffic& open = dram_[track];
  file_.slice({dram_process, static_cast<u32>(track)}, fmt::format("{} bytes", open.accesses * dram_access_bytes),
              open.begin_s, open.end_s, true);
  open.drawn_to_s = open.end_s;
  open.accesses = 0;
}

void Tracer::cpu_slept(double begin_s, double end_s) {
  file_.slice(cpu_track, "run", cpu_awake_from_s_, begin_s, true);
  file_.slice(cpu_track, "wait for interrupt", begin_s, end_s, true);
  cpu_awake_from_s_ = end_s;
}

void Tracer::finish(Cycle now, const std::vector<PowerWindow>& windows) {
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    if (!tasks_[i].seen) continue;
    file_.slice({network_process, static_cast<u32>(i % task_tracks)}, compiled_.tasks[i].name, seconds(tasks_[i].begin),
                seconds(std::max(tasks_[i].begin, tasks_[i].end)), false);
  }
  for (const PowerWindow& window : windows) {
    const double duration = window.end_s - window.begin_s;
    for (const auto& [component, joules] : window.energy_j) {
      file_.counter(counter_process, fmt::format("{} [W]", component), window.begin_s, joules / duration);
    }
    file_.counter(counter_process, "total [W]", window.begin_s, window.total_j() / duration);
    file_.counter(counter_process, "DRAM read [GB/s]", window.begin_s,
                  static_cast<double>(window.dram_read_bytes) / duration / 1e9);
    file_.counter(counter_process, "DRAM write [GB/s]", window.begin_s,
                  static_cast<double>(window.dram_written_bytes) / duration / 1e9);
    file_.counter(counter_process, "Cal utilisation [%]", window.begin_s, 100 * window.cal_utilisation);
  }
  for (std::size_t track = 0; track < dram_.size(); ++track) {
    if (dram_[track].accesses > 0) draw(track);
  }
  file_.slice(cpu_track, "run", cpu_awake_from_s_, std::max(cpu_awake_from_s_, seconds(now)), false);
  file_.slice({network_process, task_tracks}, "run", 0, seconds(now), false);
  file_.close();
}

}  // namespace bvp
