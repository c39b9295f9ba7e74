// SPDX-License-Identifier: Apache-2.0
#include "platform/trace/waveform.h"

#include <fmt/format.h>

#include <stdio_ext.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace bvp {

void Waveform::UnitSignals::begin(const std::optional<TaskStep>& of) {
  busy.write(true);
  task.write(of ? of->task : no_task);
  step.write(of ? static_cast<u16>(of->step) : no_step);
}

void Waveform::UnitSignals::end() {
  busy.write(false);
  task.write(no_task);
  step.write(no_step);
}

void Waveform::UnitSignals::trace(sc_core::sc_trace_file* file) const {
  sc_core::sc_trace(file, busy, busy.basename());
  sc_core::sc_trace(file, task, task.basename());
  sc_core::sc_trace(file, step, step.basename());
}

Waveform::Waveform(sc_core::sc_module_name name, const std::filesystem::path& path, Soc& soc, u32 dma_channels,
                   std::size_t tasks)
    : sc_module(name), path_(path), tags_(tasks), array_("array") {
  if (!std::ofstream(path)) throw std::runtime_error(fmt::format("{}: cannot be written", path.string()));
  for (u32 i = 0; i < dma_channels; ++i) channels_.push_back(std::make_unique<UnitSignals>(fmt::format("dma{}", i)));
  // SystemC adds the extension.
  std::filesystem::path stem = path;
  file_ = sc_core::sc_create_vcd_trace_file(stem.replace_extension().c_str());
  file_->set_time_unit(1, sc_core::SC_PS);
  soc.trace_interrupts(file_);
  array_.trace(file_);
  for (const auto& channel : channels_) channel->trace(file_);
  sc_core::sc_trace(file_, cpu_asleep_, "cpu_asleep");
  sc_core::sc_trace(file_, array_power_, "array_power");
  sc_core::sc_trace(file_, dram_read_bytes_, "dram_read_bytes");
  sc_core::sc_trace(file_, dram_written_bytes_, "dram_written_bytes");
}

Waveform::~Waveform() {
  if (file_ != nullptr) sc_core::sc_close_vcd_trace_file(file_);
}

void Waveform::close() {
  // SystemC does not report what it could not write. The C library keeps unwritten text, and fails again here. Errors
  // of the standard output do not matter here.
  if (std::fflush(stdout) != 0) __fpurge(stdout);
  errno = 0;
  const bool complete = std::fflush(nullptr) == 0;
  const int error = errno;
  sc_core::sc_close_vcd_trace_file(std::exchange(file_, nullptr));
  if (!complete) {
    throw std::runtime_error(fmt::format("{}: cannot be written: {}", path_.string(), std::strerror(error)));
  }
  // SystemC writes the date into the second line; it is removed, so that the same run gives the same bytes.
  std::fstream stream(path_, std::ios::in | std::ios::out | std::ios::binary);
  std::string line;
  std::getline(stream, line);
  const auto begin = stream.tellg();
  if (!std::getline(stream, line)) return;
  stream.seekp(begin);
  stream << std::string(line.size(), ' ');
}

void Waveform::dram_burst(bool write, u64 bytes) { (write ? dram_written_bytes_ : dram_read_bytes_) += bytes; }

void Waveform::command_started(const Command& command, Cycle) {
  const std::optional<TaskStep> step = tags_.read(command.tag);
  if (command.opcode == static_cast<u8>(CommandOpcode::dma)) channels_.at(command.unit)->begin(step);
}

void Waveform::kernel_launched(const Command& command, const LaunchPhases&, Cycle) {
  const std::optional<TaskStep> step = tags_.read(command.tag);
  if (launches_.empty()) array_.begin(step);
  launches_.push_back(step);
}

void Waveform::command_completed(const Command& command, Cycle) {
  if (command.opcode == static_cast<u8>(CommandOpcode::dma)) {
    channels_.at(command.unit)->end();
  } else if (command.opcode == static_cast<u8>(CommandOpcode::launch) && !launches_.empty()) {
    launches_.pop_front();
    if (launches_.empty()) {
      array_.end();
    } else {
      array_.begin(launches_.front());
    }
  }
}

}  // namespace bvp
