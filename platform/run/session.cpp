// SPDX-License-Identifier: Apache-2.0
#include "platform/run/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "platform/run/cpu_state.h"
#include "platform/run/firmware_watch.h"
#include "platform/run/machine.h"
#include "platform/run/stopwatch.h"
#include "platform/run/uart_input.h"

namespace bvp {

void LastLine::add(char character) {
  constexpr std::size_t longest = 200;
  if (character == '\n' || character == '\r') {
    ended_ = true;
    return;
  }
  if (ended_ && character == ' ' && !text_.empty()) text_ += ';';
  if (ended_ && character != ' ') text_.clear();
  ended_ = false;
  if (character == ' ' && !text_.empty() && text_.back() == ' ') return;
  if (text_.size() < longest) text_ += character >= ' ' && character <= '~' ? character : '.';
}

Session::Session(Soc& soc, const Scenario& scenario, const RunInputs& inputs, const RunRequest& request,
                 Pricing pricing)
    : soc_(soc),
      scenario_(scenario),
      inputs_(inputs),
      request_(request),
      tasks_(tasks_of(inputs)),
      kernels_(soc, tasks_),
      regions_(soc),
      path_([&soc](u32 semaphore) { return soc.sequencer.tokens(semaphore); },
            [&soc](u32 channel) { return soc.dma.time_of_last(channel); }, tasks_),
      estimate_(inputs.compiled, [this] { report_progress(); }) {
  kernels_.watch(soc.sequencer.commands());
  path_.watch(soc.sequencer.commands());
  if (scenario.run.data) not_finite_.emplace(soc, tasks_).watch(soc.sequencer.commands());
  SimulationControl& control = soc.simulation_control;
  connections_.push_back(control.region_began.connect([this](u32 region) { regions_.mark(true, region); }));
  connections_.push_back(control.region_ended.connect([this](u32 region) { regions_.mark(false, region); }));
  start_records(pricing);
  watch_the_end();
  progress_.stage = RunProgress::Stage::simulating;
  progress_.task_count = inputs.compiled.tasks.size();
  if (request.progress) {
    estimate_.watch(soc.sequencer.commands());
    connections_.push_back(control.task_done.connect([this](u32 task) { estimate_.task_done(task); }));
  }
  connections_.push_back(soc.uart.sent.connect([this](char character) {
    last_line_.add(character);
    if (request_.uart) request_.uart(std::string_view(&character, 1));
  }));
  connect_input(soc, request.uart_input);
  control.set_argument(inputs.dataset ? inputs.dataset_place.header : inputs.compiled.descriptor);
  soc.cpu.set_reset_pc(inputs.firmware.entry);
  if (request.gdb != nullptr) {
    const Debugger::Options options{request.stop_at_reset, request.interrupted, request.say};
    debugger_ = std::make_unique<Debugger>(soc, *request.gdb, options);
  }
  if (request.watch != nullptr) request.watch->attach(soc, scenario.soc.cpu, inputs.firmware.symbols);
  if (traces_firmware()) {
    request.watch->draw({[this](const std::string& name, double begin_s, double end_s) {
                           tracer_->firmware_function(name, begin_s, end_s);
                         },
                         [this](const std::string& name, double begin_s, double end_s) {
                           tracer_->register_access(name, begin_s, end_s);
                         }});
  }
  soc.set_loader([this] { load_inputs(soc_, inputs_, scenario_.run.data); });
}

void Session::start_records(Pricing pricing) {
  const auto channels = static_cast<u32>(scenario_.soc.dma.channels);
  if (scenario_.record.power_window_s > 0) {
    const sc_core::sc_time window(scenario_.record.power_window_s, sc_core::SC_SEC);
    power_ = std::make_unique<PowerMonitor>(soc_, pricing.table, pricing.size, window);
  }
  if (request_.trace) {
    tracer_ = std::make_unique<Tracer>(request_.trace(), static_cast<u64>(scenario_.record.trace_bytes), tasks_,
                                       soc_.clock().hertz(), trace_tracks(soc_, traces_firmware()));
    tracer_->watch(soc_.sequencer.commands());
    connect(soc_.connect_units([this](const UnitSpan& span) { tracer_->unit_busy(span); }));
  }
  if (request_.vcd) {
    waveform_ = std::make_unique<Waveform>("waveform", request_.vcd(), soc_, channels, tasks_.tasks.size());
    waveform_->watch(soc_.sequencer.commands());
  }
  if (tracer_ || waveform_) observe_states();
}

bool Session::traces_firmware() const {
  return request_.trace && request_.watch != nullptr && request_.watch->has_slices();
}

void Session::connect(std::vector<Connection> connections) {
  std::move(connections.begin(), connections.end(), std::back_inserter(connections_));
}

// Connections to signals of DRAM, CPU and power controller.
void Session::observe_states() {
  const double dram_clock_s = 1 / soc_.dram.clock().hertz();
  const auto burst = static_cast<double>(soc_.dram.burst_clocks());
  const u64 burst_bytes = soc_.dram.burst_bytes();
  connect(soc_.dram.connect_commands([=](u32 channel, const DramCommand& command) {
    if (command.kind != DramCommand::Kind::read && command.kind != DramCommand::Kind::write) return;
    const bool write = command.kind == DramCommand::Kind::write;
    const auto begin = static_cast<double>(command.cycle);
    const double begin_s = begin * dram_clock_s, end_s = (begin + burst) * dram_clock_s;
    if (tracer_) tracer_->dram_transfer(channel, write, burst_bytes, begin_s, end_s);
    if (waveform_) waveform_->dram_burst(write, burst_bytes);
  }));
  connections_.push_back(soc_.cpu.sleep_changed.connect([this](bool asleep) {
    if (tracer_) tracer_->cpu_asleep(asleep, sc_core::sc_time_stamp().to_seconds());
    if (waveform_) waveform_->cpu_asleep(asleep);
  }));
  connections_.push_back(soc_.power_controller.array_changed.connect([this](ArrayPower power) {
    if (tracer_) tracer_->array_power(power, sc_core::sc_time_stamp().to_seconds());
    if (waveform_) waveform_->array_power(power);
  }));
}

// The run ends at the time at which something ends it, even if the simulation was asked to continue longer.
void Session::watch_the_end() {
  connections_.push_back(soc_.simulation_control.exited.connect([this](int code) {
    exit_code_ = code;
    ended_ = true;
    sc_core::sc_stop();
  }));
  connections_.push_back(soc_.cpu.halts.connect([this](const std::string&) {
    ended_ = true;
    sc_core::sc_stop();
  }));
}

SessionEnd Session::simulate() {
  SessionEnd end;
  const Stopwatch watch;
  try {
    run_to_the_end(end);
  } catch (const sc_core::sc_report& report) {
    end.failure = fmt::format("the simulation stopped: {}: {}", report.get_msg_type(), report.get_msg());
  }
  if (debugger_) debugger_->end(exit_code_.value_or(-1));
  end.host_seconds = watch.seconds();
  end.firmware_exit_code = exit_code_.value_or(-1);
  if (end.failure.empty()) end.failure = describe_end();
  if (request_.say && !exit_code_) request_.say(describe_cpu(soc_, inputs_.firmware.symbols));
  soc_.end_simulation();
  if (request_.watch != nullptr) request_.watch->detach(soc_);
  kernels_.finish();
  regions_.finish();
  return end;
}

void Session::run_to_the_end(SessionEnd& end) {
  const sc_core::sc_time limit(scenario_.run.time_limit_s, sc_core::SC_SEC);
  // Simulated time between two checks whether the run is to end.
  const sc_core::sc_time longest_step(10, sc_core::SC_US);
  while (!ended_ && sc_core::sc_time_stamp() < limit) {
    if (request_.interrupted && request_.interrupted()) {
      end.failure = fmt::format("interrupted after {:.6g} s of simulated time", sc_core::sc_time_stamp().to_seconds());
      return;
    }
    const sc_core::sc_time left = std::min(longest_step, limit - sc_core::sc_time_stamp());
    advance_to(sc_core::sc_time_stamp() + (power_ ? std::min(left, power_->time_left()) : left));
    if (is_stuck() && !await_input(soc_, request_.uart_input)) return;
    if (debugger_ && debugger_->killed()) {
      end.failure = fmt::format("ended by gdb after {:.6g} s of simulated time", sc_core::sc_time_stamp().to_seconds());
      return;
    }
    if (power_ && power_->time_left() == sc_core::SC_ZERO_TIME) power_->take();
    report_progress();
  }
}

void Session::advance_to(const sc_core::sc_time& time) {
  const auto over = [this] {
    return ended_ || is_stuck() || (debugger_ && debugger_->killed()) ||
           (request_.interrupted && request_.interrupted());
  };
  // A debugger may have paused the simulation before that time.
  do {
    soc_.advance(time - sc_core::sc_time_stamp(), !debugger_);
    if (request_.uart_input != nullptr) soc_.uart.poll_input();
    if (debugger_ && !ended_) debugger_->poll();
  } while (!over() && sc_core::sc_time_stamp() < time);
}

// With a debugger somebody may still change what the firmware waits for.
bool Session::is_stuck() const { return !ended_ && !debugger_ && soc_.idle(); }

void Session::report_progress() {
  if (!request_.progress) return;
  progress_.task = estimate_.task();
  progress_.task_index = estimate_.task_index();
  progress_.done = estimate_.done();
  if (inputs_.dataset) {
    // The estimate is that of a batch; it says 1 from the end of one to the beginning of the next.
    const double batches =
        static_cast<double>(inputs_.dataset->samples()) / static_cast<double>(scenario_.network.batch);
    const double current = progress_.done < 1 ? progress_.done : 0;
    progress_.done = (static_cast<double>(kernels_.inferences()) + current) / batches;
  }
  progress_.simulated_s = sc_core::sc_time_stamp().to_seconds();
  request_.progress(progress_);
}

std::string Session::describe_end() const {
  std::string failure;
  if (exit_code_ && *exit_code_ != 0) {
    failure = fmt::format("the firmware ended with exit code {}", *exit_code_);
    if (!last_line_.text().empty()) {
      failure += " and said: " + inputs_.firmware.symbols.with_names(last_line_.text());
    }
  } else if (!exit_code_ && soc_.cpu.halted()) {
    failure = "the CPU halted: " + inputs_.firmware.symbols.with_names(soc_.cpu.halt_reason());
  } else if (is_stuck()) {
    failure =
        fmt::format("nothing can happen any more: the CPU sleeps in WFI at pc {}, and no event is left to wake it",
                    inputs_.firmware.symbols.place(soc_.cpu.pc()));
  } else if (!exit_code_) {
    failure = fmt::format(
        "the simulated-time limit of {} s (run.time_limit_s) was reached at pc {} before the firmware ended{}",
        scenario_.run.time_limit_s.get(), inputs_.firmware.symbols.place(soc_.cpu.pc()),
        soc_.cpu.sleeping() ? "; the CPU sleeps in WFI" : "");
  }
  return failure + describe_array();
}

/// Describes the first PE with an error or, if the firmware has not ended, the first PE whose kernel has not ended.
std::string Session::describe_array() const {
  std::string text;
  for (const PeStatus* pe : soc_.cores) {
    if (pe->error().empty()) continue;
    text += fmt::format("; {}: {}", pe->statistics().name(), pe->error());
    break;
  }
  if (exit_code_) return text;
  for (const PeStatus* pe : soc_.cores) {
    const std::string pending = pe->pending();
    if (pending.empty()) continue;
    text += "; a kernel has not ended: " + pending.substr(0, pending.find('\n'));
    break;
  }
  return text;
}

SessionRecords Session::close_records() {
  SessionRecords records;
  if (power_) records.power = power_->finish();
  if (tracer_) {
    tracer_->finish(soc_.clock().now(), records.power);
    records.trace_events_dropped = tracer_->dropped();
  }
  if (waveform_) waveform_->close();
  // These are modules of the simulation context that ends here.
  waveform_.reset();
  tracer_.reset();
  power_.reset();
  return records;
}

}  // namespace bvp
