// SPDX-License-Identifier: Apache-2.0
#include "platform/trace/tracer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace bvp {

namespace {

using Track = TraceFile::Track;
using Part = TraceFile::Part;

constexpr u32 network_process = 1, cpu_process = 2, array_process = 3, dma_process = 4, dram_process = 5,
              counter_process = 6, first_pe_process = 10;
constexpr Track cpu_track{cpu_process, 0}, firmware_track{cpu_process, 1}, access_track{cpu_process, 2};
/// DRAM accesses with a smaller gap become one slice.
constexpr double dram_gap_s = 50e-9;
constexpr Track kernel_track{array_process, 0}, array_power_track{array_process, 1};
constexpr std::array<const char*, 3> power_names{"on", "clock off", "retention"};
/// The weights of a task arrive while the previous task still runs, and a task may belong to two layers. Therefore
/// neighbouring tasks alternate between tracks.
constexpr u32 task_tracks = 3, layer_tracks = 3;
constexpr Track run_track{network_process, 0}, first_layer_track{network_process, 1},
    first_task_track{network_process, 1 + layer_tracks}, detail_track{network_process, 1 + layer_tracks + task_tracks};
constexpr const char* not_finished = " (not finished)";

Track after(Track first, std::size_t turn) { return {first.process, first.thread + static_cast<u32>(turn)}; }

/// The utilisation in one window, or in several merged windows.
void add_counters(const std::vector<std::string>& components, const PowerWindow& window,
                  std::vector<TraceFile::Counter>& counters) {
  const double duration = window.end_s - window.begin_s;
  const auto add = [&](std::string name, double value) {
    counters.push_back({counter_process, std::move(name), window.begin_s, value});
  };
  for (std::size_t i = 0; i < components.size(); ++i) add(components[i] + " [W]", window.energy_j[i] / duration);
  add("total [W]", window.total_j() / duration);
  add("DRAM read [GB/s]", static_cast<double>(window.dram_read_bytes) / duration / 1e9);
  add("DRAM write [GB/s]", static_cast<double>(window.dram_written_bytes) / duration / 1e9);
  for (std::size_t i = 0; i < unit_count; ++i) {
    add(fmt::format("{} utilisation [%]", unit_names[i]), 100 * window.utilisation[i]);
  }
}

/// The name with '_' for what a string of JSON would need an escape for. A symbol of an ELF file can have any name.
std::string without_escapes(std::string name) {
  const auto needs_escape = [](char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20; };
  std::replace_if(name.begin(), name.end(), needs_escape, '_');
  return name;
}

TraceFile::Names names_of(const Tracer::Tracks& tracks) {
  TraceFile::Names names;
  names.process(network_process, "network");
  names.thread(run_track, "run");
  for (u32 i = 0; i < layer_tracks; ++i) names.thread(after(first_layer_track, i), "layers");
  for (u32 i = 0; i < task_tracks; ++i) names.thread(after(first_task_track, i), "tasks");
  names.thread(detail_track, "stretches with detail");
  names.process(cpu_process, "CPU");
  names.thread(cpu_track, "core");
  if (tracks.firmware) {
    names.thread(firmware_track, "firmware");
    names.thread(access_track, "registers");
  }
  names.process(array_process, "array");
  names.thread(kernel_track, "kernels");
  names.thread(array_power_track, "power state");
  names.process(dma_process, "DMA");
  for (u32 i = 0; i < tracks.dma_channels; ++i) names.thread({dma_process, i}, fmt::format("channel {}", i));
  names.process(dram_process, "DRAM");
  for (u32 i = 0; i < tracks.dram_channels; ++i) {
    names.thread({dram_process, 2 * i}, fmt::format("channel {} reads", i));
    names.thread({dram_process, 2 * i + 1}, fmt::format("channel {} writes", i));
  }
  names.process(counter_process, "power, traffic and utilisation");
  for (u32 pe = 0; pe < tracks.pes.size(); ++pe) {
    names.process(first_pe_process + pe, tracks.pes[pe]);
    for (u32 unit = 0; unit < unit_count; ++unit) names.thread({first_pe_process + pe, unit}, unit_names[unit]);
  }
  return names;
}

}  // namespace

u64 Tracer::least_bytes(const Tracks& tracks) { return TraceFile::least_bytes(names_of(tracks)); }

Tracer::Tracer(const std::filesystem::path& path, u64 max_bytes, const CompiledNetwork& compiled, double clock_hz,
               const Tracks& tracks)
    : file_(path, max_bytes, names_of(tracks), detail_track),
      compiled_(compiled),
      clock_hz_(clock_hz),
      tags_(compiled.tasks.size()),
      transfers_(tracks.dma_channels),
      tasks_(compiled.tasks.size()),
      dram_(2 * std::size_t{tracks.dram_channels}) {
  for (const KernelInfo& kernel : compiled.kernels) kernels_[kernel.step] = &kernel;
}

void Tracer::Span::extend(Cycle from, Cycle to) {
  begin = seen ? std::min(begin, from) : from;
  end = seen ? std::max(end, to) : to;
  seen = true;
}

const KernelInfo* Tracer::kernel_of(const std::optional<TaskStep>& step) const {
  const auto kernel = step ? kernels_.find(*step) : kernels_.end();
  return kernel == kernels_.end() ? nullptr : kernel->second;
}

std::string Tracer::name_of(const std::optional<TaskStep>& step) const {
  if (const KernelInfo* const kernel = kernel_of(step)) return kernel->name;
  return step ? compiled_.tasks[step->task].name : "end";
}

void Tracer::touch_task(const std::optional<TaskStep>& step, Cycle cycle) {
  if (step) tasks_[step->task].extend(cycle, cycle);
}

void Tracer::command_started(const Command& command, Cycle cycle) {
  const std::optional<TaskStep> step = tags_.read(command.tag);
  touch_task(step, cycle);
  if (command.opcode == static_cast<u8>(CommandOpcode::dma)) transfers_.at(command.unit) = Open{step, cycle};
}

void Tracer::kernel_launched(const Command& command, const LaunchPhases&, Cycle cycle) {
  launched_.push_back({tags_.read(command.tag), cycle});
}

void Tracer::command_completed(const Command& command, Cycle cycle) {
  const std::optional<TaskStep> step = tags_.read(command.tag);
  touch_task(step, cycle);
  if (command.opcode == static_cast<u8>(CommandOpcode::dma)) {
    std::optional<Open>& transfer = transfers_.at(command.unit);
    if (transfer) draw_transfer(command.unit, *transfer, cycle, "");
    transfer.reset();
  } else if (command.opcode == static_cast<u8>(CommandOpcode::launch) && !launched_.empty()) {
    draw_launch(cycle, "");
  }
  // The last command belongs to no task.
  if (!step) draw_inference();
}

void Tracer::draw_transfer(u32 channel, const Open& transfer, Cycle end, const char* remark) {
  file_.slice({dma_process, channel}, name_of(transfer.step) + remark, seconds(transfer.begin), seconds(end),
              Part::detail);
}

/// Launches complete in order. A launch that overlaps the previous one is shown from the end of the previous one on.
void Tracer::draw_launch(Cycle end, const char* remark) {
  const Open launch = launched_.front();
  const Cycle begin = std::max(launch.begin, array_busy_until_);
  launched_.pop_front();
  array_busy_until_ = end;
  file_.slice(kernel_track, name_of(launch.step) + remark, seconds(begin), seconds(end), Part::kernels);
  if (const KernelInfo* const kernel = kernel_of(launch.step)) layers_[kernel->layer].extend(begin, end);
}

void Tracer::unit_busy(const UnitSpan& span) {
  if (span.end == span.begin) return;
  file_.slice({first_pe_process + span.pe, static_cast<u32>(span.unit)}, fmt::format("kernel layer {}", span.tag),
              seconds(span.begin), seconds(span.end), Part::detail);
}

void Tracer::dram_transfer(u32 channel, bool write, u64 bytes, double begin_s, double end_s) {
  const std::size_t track = 2 * channel + (write ? 1 : 0);
  Traffic& open = dram_.at(track);
  if (open.bytes > 0 && begin_s > open.end_s + dram_gap_s) draw(track);
  if (open.bytes == 0) open.begin_s = std::max(begin_s, open.drawn_to_s);
  open.end_s = std::max({open.begin_s, open.end_s, end_s});
  open.bytes += bytes;
}

void Tracer::draw(std::size_t track) {
  Traffic& open = dram_[track];
  file_.slice({dram_process, static_cast<u32>(track)}, fmt::format("{} bytes", open.bytes), open.begin_s, open.end_s,
              Part::detail);
  open.drawn_to_s = open.end_s;
  open.bytes = 0;
}

void Tracer::cpu_asleep(bool asleep, double now_s) {
  file_.slice(cpu_track, cpu_asleep_ ? "wait for interrupt" : "run", cpu_since_s_, now_s, Part::detail);
  cpu_asleep_ = asleep;
  cpu_since_s_ = now_s;
}

void Tracer::firmware_function(const std::string& name, double begin_s, double end_s) {
  file_.slice(firmware_track, without_escapes(name), begin_s, end_s, Part::detail);
}

void Tracer::register_access(const std::string& name, double begin_s, double end_s) {
  file_.slice(access_track, name, begin_s, end_s, Part::detail);
}

void Tracer::array_power(ArrayPower power, double now_s) {
  file_.slice(array_power_track, power_names.at(static_cast<std::size_t>(array_power_)), array_power_since_s_, now_s,
              Part::outline);
  array_power_ = power;
  array_power_since_s_ = now_s;
}

void Tracer::draw_inference() {
  for (const auto& [layer, span] : layers_) {
    if (layer == layer_none) continue;
    file_.slice(after(first_layer_track, layer % layer_tracks), fmt::format("layer {}", layer), seconds(span.begin),
                seconds(span.end), Part::outline);
  }
  layers_.clear();
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    if (!tasks_[i].seen) continue;
    file_.slice(after(first_task_track, i % task_tracks), compiled_.tasks[i].name, seconds(tasks_[i].begin),
                seconds(tasks_[i].end), Part::outline);
    tasks_[i] = {};
  }
}

void Tracer::draw_counters(const PowerTrace& power) {
  const std::vector<PowerWindow>& windows = power.windows;
  // Merges neighbouring windows until they fit.
  for (std::size_t together = 1; together < 2 * windows.size(); together *= 2) {
    std::vector<TraceFile::Counter> counters;
    for (std::size_t i = 0; i < windows.size(); i += together) {
      PowerWindow window = windows[i];
      for (std::size_t k = i + 1; k < std::min(i + together, windows.size()); ++k) window += windows[k];
      add_counters(power.components, window, counters);
    }
    if (file_.counters(counters)) return;
  }
}

void Tracer::finish(Cycle now, const PowerTrace& power) {
  const double end_s = seconds(now);
  for (u32 channel = 0; channel < transfers_.size(); ++channel) {
    const std::optional<Open>& transfer = transfers_[channel];
    if (!transfer) continue;
    touch_task(transfer->step, now);
    draw_transfer(channel, *transfer, now, not_finished);
  }
  // Launches that overlap the first one have no time of their own yet.
  if (!launched_.empty()) {
    touch_task(launched_.front().step, now);
    draw_launch(now, not_finished);
  }
  file_.slice(run_track, "run", 0, end_s, Part::outline);
  draw_inference();
  draw_counters(power);
  for (std::size_t track = 0; track < dram_.size(); ++track) {
    if (dram_[track].bytes > 0) draw(track);
  }
  if (end_s > cpu_since_s_) cpu_asleep(cpu_asleep_, end_s);
  array_power(array_power_, end_s);
  file_.close(end_s);
}

}  // namespace bvp
