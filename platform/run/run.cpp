// SPDX-License-Identifier: Apache-2.0
#include "platform/run/run.h"
#include "platform/compiler/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <optional>

#include "models/base/simulation_context.h"
#include "platform/network/half.h"
#include "platform/network/network_json.h"
#include "platform/network/weights.h"
#include "platform/power/power_monitor.h"
#include "platform/power/power_states.h"
#include "platform/reference/float_reference.h"
#include "platform/reference/reference.h"
#include "platform/report/plan_report.h"
#include "platform/report/prices_json.h"
#include "platform/report/statistics_json.h"
#include "platform/run/busy_shares.h"
#include "platform/run/check_machine.h"
#include "platform/run/compile_scenario.h"
#include "platform/run/kernel_recorder.h"
#include "platform/run/machine.h"
#include "platform/run/not_finite_recorder.h"
#include "platform/run/progress_estimate.h"
#include "platform/run/region_recorder.h"
#include "platform/run/scenario_files.h"
#include "platform/soc/soc.h"
#include "platform/support/resources.h"
#include "platform/trace/tracer.h"
#include "platform/trace/waveform.h"

namespace bvp {

namespace {

class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

void report_to_stderr(const sc_core::sc_report& report, const sc_core::sc_actions& actions) {
  if (report.get_severity() >= sc_core::SC_WARNING && (actions & sc_core::SC_THROW) == 0) {
    // Beside the message the simulated time, once there is one.
    const sc_core::sc_time now = sc_core::sc_time_stamp();
    if (now != sc_core::SC_ZERO_TIME) std::cerr << fmt::format("[{:.3f} us] ", 1e6 * now.to_seconds());
    std::cerr << report.get_msg_type() << ": " << report.get_msg() << '\n';
  }
  if ((actions & sc_core::SC_THROW) != 0) throw report;
}

/// The last line with text in it, of what comes character by character, with what is indented below it; unprintable
/// characters as dots.
class LastLine {
 public:
  void add(char character) {
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
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
  bool ended_ = false;
};

/// Restores SystemC's own report handler on leaving.
class ReportHandler {
 public:
  ReportHandler() { sc_core::sc_report_handler::set_handler(report_to_stderr); }
  ~ReportHandler() { sc_core::sc_report_handler::set_handler(nullptr); }
  ReportHandler(const ReportHandler&) = delete;
  ReportHandler& operator=(const ReportHandler&) = delete;
};

void write_matrix(Soc& soc, const MatrixPlace& place, const Tensor& tensor) {
  for (u64 row = 0; row < place.rows; ++row) {
    soc.write_memory(place.address + row * place.pitch,
                     reinterpret_cast<const u8*>(tensor.data.data() + row * place.columns), place.columns * 2);
  }
}

Tensor read_matrix(Soc& soc, const MatrixPlace& place, const std::vector<u64>& shape) {
  Tensor tensor{shape, std::vector<u16>(place.rows * place.columns)};
  for (u64 row = 0; row < place.rows; ++row) {
    soc.read_memory(place.address + row * place.pitch, reinterpret_cast<u8*>(tensor.data.data() + row * place.columns),
                    place.columns * 2);
  }
  return tensor;
}

Utilisation utilisation_of(const std::array<KernelRecorder::UnitCycles, unit_count>& units, u64 denominator) {
  const auto share = [&](Unit unit) {
    const auto& cycles = units[static_cast<std::size_t>(unit)];
    return denominator == 0 ? 0.0 : static_cast<double>(cycles.issue) / static_cast<double>(denominator);
  };
  return {share(Unit::load), share(Unit::cal), share(Unit::flow), share(Unit::store)};
}

/// Without the time from a launch to a unit's first segment and from its last segment to the launch's end.
Utilisation steady_of(const std::array<KernelRecorder::UnitCycles, unit_count>& units) {
  std::array<double, unit_count> share{};
  for (std::size_t i = 0; i < unit_count; ++i) {
    const auto& unit = units[i];
    u64 cycles = unit.total();
    for (const Wait wait : {Wait::launch, Wait::drain, Wait::no_kernel})
      cycles -= unit.waits[static_cast<std::size_t>(wait)];
    share[i] = cycles == 0 ? 0.0 : static_cast<double>(unit.issue) / static_cast<double>(cycles);
  }
  return {share[0], share[1], share[2], share[3]};
}

/// Reason -> cycles; what no PE accounts for (PEs that the kernels leave out, waiting for the slowest) is "idle".
std::map<std::string, CycleBreakdown> breakdown_of(const std::array<KernelRecorder::UnitCycles, unit_count>& units,
                                                   u64 all_cycles) {
  std::map<std::string, CycleBreakdown> result;
  for (std::size_t i = 0; i < unit_count; ++i) {
    const auto& unit = units[i];
    CycleBreakdown& row = result[unit_names[i]];
    row["issue"] = unit.issue;
    row["special_function"] = unit.special;
    row["stall"] = unit.stall;
    u64 sum = unit.issue + unit.special + unit.stall;
    for (std::size_t reason = 0; reason < wait_count; ++reason) {
      if (reason == static_cast<std::size_t>(Wait::no_kernel)) continue;
      row[std::string("wait_") + wait_names[reason]] = unit.waits[reason];
      sum += unit.waits[reason];
    }
    row["idle"] = all_cycles > sum ? all_cycles - sum : 0;
  }
  return result;
}

class Run {
 public:
  Run(const Scenario& scenario, const RunRequest& request) : scenario_(scenario), request_(request) {}

  RunResult run() {
    report_stage(RunProgress::Stage::preparing);
    prepare();
    if (request_.begin) request_.begin();
    simulate();
    soc_.reset();
    if (request_.end) request_.end();
    if (result_.failure.empty() && scenario_.verify.enabled && data()) {
      if (result_.inferences > 0) {
        verify();
      } else {
        result_.failure =
            "the firmware carried out no inference, so that there is nothing to verify; expected firmware that does, "
            "or "
            "verify.enabled: false for one that is not meant to";
      }
    }
    if (data()) check_finite();
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool data() const { return scenario_.run.data; }

  template <class Read>
  auto read_of(const char* key, const Read& read) const {
    return read_file_of(scenario_, key, read);
  }

  void prepare() {
    const Stopwatch watch;
    table_ = load_energy_table(scenario_);
    const AreaTable area = load_area_table();
    soc_ = build_machine(scenario_, data(), *table_, area);
    const Network& network = scenario_.network;
    const auto seed = static_cast<u64>(scenario_.run.seed.get());
    result_.scenario = scenario_.name;
    result_.fidelity = scenario_.run.fidelity;
    result_.energy_profile = energy_profile(scenario_);
    result_.energy_note = energy_note(scenario_, *table_, machine_size());
    result_.seed = seed;
    result_.zero_padding = zero_padding(network);
    // Of files that a run without data does not need, the shapes are checked: a wrong one is no surprise later.
    const std::string& weights = scenario_.run.weights;
    if (data()) {
      weights_ = weights.empty()
                     ? random_weights(network, seed)
                     : read_of("run.weights", [&] { return load_weights(weights, network, &result_.notes); });
    } else {
      weights_ = weights.empty()
                     ? weight_shapes(network)
                     : read_of("run.weights", [&] { return load_weight_shapes(weights, network, &result_.notes); });
    }
    const std::string& file = scenario_.run.input;
    if (network.vocabulary > 0) {
      // Without data too: which rows of the table are read is a matter of time.
      tokens_ = file.empty() ? random_tokens(network, seed)
                             : read_of("run.input", [&] { return load_tokens(file, network); });
    } else if (data()) {
      input_ =
          file.empty() ? random_input(network, seed) : read_of("run.input", [&] { return load_input(file, network); });
    } else if (!file.empty()) {
      read_of("run.input", [&] { check_input_shape(file, network); });
    }
    compiled_ = compile_scenario(scenario_, weights_);
    elf_ = read_firmware(scenario_, firmware_of(scenario_));
    result_.energy_scaled = table_->scaled();
    result_.energy_technology_nm = table_->technology_nm();
    result_.energy_voltage = table_->voltage();
    if (scenario_.energy.dram_pj_per_bit > 0) result_.energy_dram_pj_per_bit = scenario_.energy.dram_pj_per_bit;
    result_.area_by_component_mm2 = area.area(machine_size());
    result_.prices = prices_json(*table_, area, machine_size());
    result_.plan = plan_json(compiled_);
    setup_seconds_ = watch.seconds();
  }

  void simulate() {
    const Stopwatch setup;
    Soc& soc = *soc_;
    KernelRecorder recorder(soc, compiled_);
    soc.sequencer.add_observer(recorder);
    std::optional<NotFiniteRecorder> not_finite;
    if (data()) soc.sequencer.add_observer(not_finite.emplace(soc, compiled_));
    RegionRecorder regions(soc);
    soc.simulation_control.set_region_callback([&](bool begin, u32 region) { regions.mark(begin, region); });
    clock_hz_ = soc.clock().hertz();
    start_records(soc);
    // The run ends at the time at which something ends it, however far the simulation was asked to go.
    std::optional<int> exit_code;
    bool ended = false;
    soc.simulation_control.set_exit_callback([&](int code) {
      exit_code = code;
      ended = true;
      sc_core::sc_stop();
    });
    soc.cpu.set_halt_callback([&](const std::string&) {
      ended = true;
      sc_core::sc_stop();
    });
    progress_.stage = RunProgress::Stage::simulating;
    progress_.task_count = compiled_.tasks.size();
    ProgressEstimate estimate(compiled_, [&] { report_progress(estimate); });
    if (request_.progress) {
      soc.sequencer.add_observer(estimate);
      soc.simulation_control.set_progress_callback([&](u32 task) { estimate.task_done(task); });
    }
    soc.uart.set_sink([&](char character) {
      last_line_.add(character);
      if (request_.uart) request_.uart(std::string_view(&character, 1));
    });
    soc.simulation_control.set_argument(compiled_.descriptor);
    soc.cpu.set_reset_pc(elf_.entry);
    soc.set_loader([&] { load(soc); });
    result_.host_setup_seconds = setup_seconds_ + setup.seconds();

    const Stopwatch watch;
    try {
      const sc_core::sc_time limit(scenario_.run.time_limit_s, sc_core::SC_SEC);
      // Of simulated time, between two looks at whether the run is to end.
      const sc_core::sc_time longest_step(10, sc_core::SC_US);
      while (!ended && sc_core::sc_time_stamp() < limit) {
        if (request_.interrupted && request_.interrupted()) {
          result_.failure =
              fmt::format("interrupted after {:.6g} s of simulated time", sc_core::sc_time_stamp().to_seconds());
          break;
        }
        const sc_core::sc_time left = std::min(longest_step, limit - sc_core::sc_time_stamp());
        soc.advance(power_ ? std::min(left, power_->time_left()) : left);
        if (power_ && power_->time_left() == sc_core::SC_ZERO_TIME) power_->take();
        report_progress(estimate);
      }
    } catch (const sc_core::sc_report& report) {
      result_.failure = fmt::format("the simulation stopped: {}: {}", report.get_msg_type(), report.get_msg());
    }
    result_.host_seconds = watch.seconds();
    describe_end(soc, exit_code);
    soc.end_simulation();
    recorder.finish();
    regions.finish();
    collect(soc, recorder, regions);
    if (not_finite) result_.not_finite = not_finite->found();
    finish_records(soc);
  }

  void report_stage(RunProgress::Stage stage) {
    progress_.stage = stage;
    if (request_.progress) request_.progress(progress_);
  }

  void report_progress(const ProgressEstimate& estimate) {
    if (!request_.progress) return;
    progress_.task = estimate.task();
    progress_.task_index = estimate.task_index();
    progress_.done = estimate.done();
    progress_.simulated_s = sc_core::sc_time_stamp().to_seconds();
    request_.progress(progress_);
  }

  void collect_array(const Soc& soc) {
    ArrayMap& map = result_.array;
    map.rows = static_cast<u32>(scenario_.soc.array.rows);
    map.columns = static_cast<u32>(scenario_.soc.array.columns);
    map.used_pes = CompilerTarget::floor_power_of_two(map.rows) * CompilerTarget::floor_power_of_two(map.columns);
    for (const PeCore* pe : soc.cores) map.cal_issue.push_back(pe->issue_slots(Unit::cal));
    if (soc.lockstep) return;
    static constexpr std::array<std::pair<int, int>, 8> moves{
        {{1, 0}, {-1, 0}, {0, 1}, {0, -1}, {2, 0}, {-2, 0}, {0, 2}, {0, -2}}};  // in the order of LinkDirection
    for (u32 y = 0; y < map.rows; ++y) {
      for (u32 x = 0; x < map.columns; ++x) {
        for (std::size_t i = 0; i < moves.size(); ++i) {
          const auto direction = static_cast<LinkDirection>(i);
          const u64 vectors = soc.mesh.link_vectors(x, y, direction);
          if (vectors == 0) continue;
          map.links.push_back({x, y, x + static_cast<u32>(moves[i].first), y + static_cast<u32>(moves[i].second),
                               vectors, soc.mesh.link_stall_cycles(x, y, direction)});
        }
      }
    }
  }

  /// What is recorded while the simulation runs.
  void start_records(Soc& soc) {
    const auto channels = static_cast<u32>(scenario_.soc.dma.channels);
    if (scenario_.record.power_window_s > 0) {
      const sc_core::sc_time window(scenario_.record.power_window_s, sc_core::SC_SEC);
      power_ = std::make_unique<PowerMonitor>(soc, *table_, machine_size(), window);
    }
    if (request_.trace) {
      tracer_ = std::make_unique<Tracer>(request_.trace(), static_cast<u64>(scenario_.record.trace_bytes), compiled_,
                                         clock_hz_, trace_tracks(soc, scenario_.soc));
      soc.sequencer.add_observer(*tracer_);
      soc.set_unit_observer(tracer_.get());
    }
    if (request_.vcd) {
      waveform_ = std::make_unique<Waveform>("waveform", request_.vcd(), soc, channels, compiled_.tasks.size());
      soc.sequencer.add_observer(*waveform_);
    }
    if (tracer_ || waveform_) observe_states(soc);
  }

  /// Of what has room for one observer: DRAM, CPU and power controller.
  void observe_states(Soc& soc) {
    const double dram_clock_s = 1 / soc.dram.clock().hertz();
    const auto burst = static_cast<double>(soc.dram.burst_clocks());
    const u64 burst_bytes = soc.dram.burst_bytes();
    soc.dram.set_command_observer([this, dram_clock_s, burst, burst_bytes](u32 channel, const DramCommand& command) {
      if (command.kind != DramCommand::Kind::read && command.kind != DramCommand::Kind::write) return;
      const bool write = command.kind == DramCommand::Kind::write;
      const auto begin = static_cast<double>(command.cycle);
      const double begin_s = begin * dram_clock_s, end_s = (begin + burst) * dram_clock_s;
      if (tracer_) tracer_->dram_transfer(channel, write, burst_bytes, begin_s, end_s);
      if (waveform_) waveform_->dram_burst(write, burst_bytes);
    });
    soc.cpu.set_sleep_observer([this](bool asleep) {
      if (tracer_) tracer_->cpu_asleep(asleep, sc_core::sc_time_stamp().to_seconds());
      if (waveform_) waveform_->cpu_asleep(asleep);
    });
    soc.power_controller.set_observer([this](ArrayPower power) {
      if (tracer_) tracer_->array_power(power, sc_core::sc_time_stamp().to_seconds());
      if (waveform_) waveform_->array_power(power);
    });
  }

  void finish_records(Soc& soc) {
    if (power_) {
      result_.power = power_->finish();
    }
    if (tracer_) {
      tracer_->finish(soc.clock().now(), result_.power);
      result_.trace_events_dropped = tracer_->dropped();
    }
    if (waveform_) waveform_->close();
    // They are modules of the simulation that ends here.
    waveform_.reset();
    tracer_.reset();
    power_.reset();
  }

  [[nodiscard]] MachineSize machine_size() const {
    MachineSize size = bvp::machine_size(scenario_.soc);
    size.area_mm2 = result_.area_by_component_mm2;
    return size;
  }

  void load(Soc& soc) {
    for (const ElfImage::Part& part : elf_.parts) soc.write_memory(part.address, part.bytes.data(), part.bytes.size());
    for (const MemoryBlob& blob : compiled_.blobs) soc.write_memory(blob.address, blob.bytes.data(), blob.bytes.size());
    if (!tokens_.empty()) {
      soc.write_memory(compiled_.tokens.address, reinterpret_cast<const u8*>(tokens_.data()),
                       tokens_.size() * sizeof(u32));
    } else if (data()) {
      write_matrix(soc, compiled_.input, input_);
    }
  }

  void describe_end(Soc& soc, const std::optional<int>& exit_code) {
    result_.firmware_exit_code = exit_code.value_or(-1);
    if (!result_.failure.empty()) return;
    if (exit_code && *exit_code != 0) {
      result_.failure = fmt::format("the firmware ended with exit code {}", *exit_code);
      if (!last_line_.text().empty()) result_.failure += fmt::format(" and said: {}", last_line_.text());
    } else if (!exit_code && soc.cpu.halted()) {
      result_.failure = fmt::format("the CPU halted: {}", soc.cpu.halt_reason());
    } else if (!exit_code) {
      result_.failure = fmt::format(
          "the simulated-time limit of {} s (run.time_limit_s) was reached at pc {:#x} before the "
          "firmware ended",
          scenario_.run.time_limit_s.get(), soc.cpu.pc());
    }
    for (const PeCore* pe : soc.cores) {
      if (pe->error().empty()) continue;
      result_.failure += fmt::format("; {}: {}", pe->statistics().name(), pe->error());
      break;
    }
    if (!exit_code) {
      for (const PeCore* pe : soc.cores) {
        const std::string pending = pe->pending();
        if (pending.empty()) continue;
        result_.failure += "; a kernel has not ended: " + pending.substr(0, pending.find('\n'));
        break;
      }
    }
  }

  /// The views that need the whole run alone.
  void collect_energy(const ActionCounts& counts, u64 cycles) {
    const MachineSize size = machine_size();
    result_.energy_by_action_j = table_->price_by_action(counts, size);
    result_.energy_by_component_j = table_->price(counts, size);
    const ArrayTime time = array_time(counts, size, cycles, clock_hz_);
    for (const auto& [component, kinds] : table_->static_by_kind(size, time)) {
      for (const auto& [kind, joules] : kinds) result_.energy_by_action_j[component][kind] = joules;
    }
    for (const auto& [component, joules] : table_->static_energy(size, time)) {
      result_.energy_by_component_j[component] += joules;
    }
    result_.energy_by_power_state_j = energy_by_power_state(*table_, counts, size, cycles, clock_hz_);
    result_.power_state_cycles = power_state_cycles(counts);
  }

  void collect(Soc& soc, const KernelRecorder& recorder, const RegionRecorder& regions) {
    const auto pes = static_cast<u64>(scenario_.soc.array.rows * scenario_.soc.array.columns);
    result_.cycles = soc.clock().now();
    result_.time_s = static_cast<double>(result_.cycles) / clock_hz_;
    result_.cpu_instructions = soc.cpu.instructions();
    result_.peak_flops_per_s =
        2.0 * static_cast<double>(pes) * static_cast<double>(scenario_.soc.array.lanes.get()) * clock_hz_;
    result_.dram_read_bytes = soc.dram.statistics().bytes_read.value();
    result_.dram_written_bytes = soc.dram.statistics().bytes_written.value();
    result_.statistics = statistics_json(soc.statistics());
    result_.statistics_csv = statistics_csv(soc.statistics());

    result_.inferences = recorder.inferences();

    collect_array(soc);

    const MachineSize size = machine_size();
    const auto total_of = [](const std::map<std::string, double>& parts) {
      double sum = 0;
      for (const auto& [component, joules] : parts) sum += joules;
      return sum;
    };
    const auto energy_of_counts = [&](const ActionCounts& counts, u64 cycles) {
      const ArrayTime time = array_time(counts, size, cycles, clock_hz_);
      return total_of(table_->price(counts, size)) + total_of(table_->static_energy(size, time));
    };
    const auto energy_of = [&](const KernelRecorder::Totals& totals, u64 cycles) {
      return energy_of_counts(recorder.counts(totals), cycles);
    };
    result_.regions_dropped = regions.dropped();
    for (const auto& [region, totals] : regions.regions()) {
      result_.regions.push_back({region, totals.times, totals.ended, totals.cycles,
                                 static_cast<double>(totals.cycles) / clock_hz_, totals.cpu_instructions,
                                 totals.operations, totals.dram_bytes,
                                 energy_of_counts(regions.counts(totals), totals.cycles)});
    }

    KernelRecorder::Totals all;
    for (const auto& [layer, totals] : recorder.layers()) {
      all.add_actions(totals);
      all.cycles += totals.cycles;
      all.operations += totals.operations;
      for (std::size_t i = 0; i < unit_count; ++i) all.units[i] += totals.units[i];
    }
    collect_energy(recorder.counts(all), all.cycles);
    result_.energy_j = total_of(result_.energy_by_component_j);
    result_.flops = all.operations;
    result_.lane_operations =
        all.units[static_cast<std::size_t>(Unit::cal)].issue * static_cast<u64>(scenario_.soc.array.lanes.get());

    std::array<KernelRecorder::UnitCycles, unit_count> on_array{};
    for (const auto& [name, totals] : recorder.kernels()) {
      KernelRow row;
      row.name = name;
      row.launches = totals.launches;
      row.cycles = totals.cycles;
      row.flops = totals.operations;
      row.energy_j = energy_of(totals, totals.booked_cycles);
      row.utilisation = utilisation_of(totals.units, totals.cycles * pes);
      row.steady = steady_of(totals.units);
      row.units = breakdown_of(totals.units, totals.cycles * pes);
      for (std::size_t i = 0; i < unit_count; ++i) {
        row.issue_slots[unit_names[i]] = totals.units[i].issue;
        on_array[i] += totals.units[i];
      }
      result_.energy_by_kernel_j[name] = row.energy_j;
      result_.kernel_cycles += totals.cycles;
      result_.kernels.push_back(std::move(row));
    }
    result_.energy_by_kernel_j["(after the last kernel)"] = energy_of(recorder.rest(), recorder.rest().booked_cycles);
    result_.utilisation = utilisation_of(on_array, result_.cycles * pes);
    result_.kernel_utilisation = utilisation_of(on_array, result_.kernel_cycles * pes);
    result_.steady = steady_of(on_array);
    result_.units = breakdown_of(on_array, result_.cycles * pes);
    result_.busy_shares = busy_shares(soc, scenario_.soc, result_.cycles, result_.units);

    const Network& network = scenario_.network;
    for (const auto& [layer, totals] : recorder.layers()) {
      LayerRow row;
      row.cycles = totals.cycles;
      row.time_s = static_cast<double>(totals.cycles) / clock_hz_;
      row.flops = totals.operations;
      row.dram_read_bytes = totals.dram_read;
      row.dram_written_bytes = totals.dram_written;
      row.energy_j = energy_of(totals, totals.cycles);
      row.utilisation = utilisation_of(totals.units, totals.cycles * pes);
      if (layer == layer_none) {
        result_.energy_by_layer_j["(outside of the layers)"] = row.energy_j;
        result_.outside_of_layers = std::move(row);
        continue;
      }
      row.index = layer;
      const EncoderLayer& description = network.layers[layer];
      row.mixing = description.mixing == Mixing::fft2d ? "fft2d" : "attention";
      row.projections = description.projections == LinearKind::dense ? "dense" : "butterfly";
      row.ffn = description.ffn == LinearKind::dense ? "dense" : "butterfly";
      result_.energy_by_layer_j[fmt::format("layers.{}", layer)] = row.energy_j;
      result_.layers.push_back(std::move(row));
    }

    const std::vector<u64> shape{network.batch, network.tokens, network.hidden};
    if (!data()) return;
    if (!tokens_.empty()) input_ = read_matrix(soc, compiled_.input, shape);
    outputs_["input"] = input_;
    for (std::size_t i = 0; i < compiled_.layer_outputs.size(); ++i) {
      outputs_[fmt::format("layers.{}.output", i)] = read_matrix(soc, compiled_.layer_outputs[i], shape);
    }
    outputs_["output"] = read_matrix(soc, compiled_.output, shape);
    if (network.classes > 0) {
      outputs_["logits"] = read_matrix(soc, compiled_.logits, {network.batch, network.classes});
    }
    if (request_.keep_tensors) {
      result_.tensors = outputs_;
      result_.weights = weights_;
      result_.tokens = tokens_;
    }
  }

  static std::string layer_output(std::size_t layer) { return fmt::format("layers.{}.output", layer); }

  /// What is wrong with the first tensor, in the network's order, that is not made of numbers alone; empty if all are.
  [[nodiscard]] std::string tensor_not_finite() const {
    std::vector<std::string> names{"input"};
    for (std::size_t i = 0; i < scenario_.network.layers.size(); ++i) names.push_back(layer_output(i));
    names.insert(names.end(), {"output", "logits"});
    for (const std::string& name : names) {
      const auto found = outputs_.find(name);
      if (found == outputs_.end()) continue;
      const Tensor& tensor = found->second;
      const auto first = std::find_if_not(tensor.data.begin(), tensor.data.end(), is_finite_half);
      if (first == tensor.data.end()) continue;
      const auto at = static_cast<u64>(first - tensor.data.begin());
      const u64 row = at / tensor.shape.back(), column = at % tensor.shape.back();
      return fmt::format("{} has a value that is {}, the first in row {}, column {}", name,
                         (*first & 0x3ff) != 0 ? "not a number" : "infinite", row, column);
    }
    return {};
  }

  [[nodiscard]] bool given_values_finite() const {
    const auto finite = [](const Tensor& tensor) {
      return std::all_of(tensor.data.begin(), tensor.data.end(), is_finite_half);
    };
    return (!tokens_.empty() || finite(input_)) &&
           std::all_of(weights_.begin(), weights_.end(), [&](const auto& entry) { return finite(entry.second); });
  }

  /// A run that has made an infinity or a NaN, or whose outputs have one, has failed, whatever else is verified.
  void check_finite() {
    // Firmware that does not carry out the network leaves in memory what it likes.
    const std::string tensor = result_.inferences > 0 ? tensor_not_finite() : "";
    const bool made = !result_.not_finite.kernels.empty();
    if (tensor.empty() && !made) return;
    std::string failure;
    if (!given_values_finite()) {
      // What kernels pass on is not theirs.
      if (tensor.empty()) return;
      failure = fmt::format("{}; its input or its weights already have values that are not finite", tensor);
    } else if (made) {
      failure = first_not_finite(result_.not_finite);
      if (!tensor.empty()) failure += "; " + tensor;
    } else {
      failure = tensor;
    }
    // It is the reason of a verification that failed, not another failure.
    const bool verified = scenario_.verify.enabled && result_.verification.checked;
    if (result_.failure.empty() || verified) {
      result_.failure = result_.failure.empty() ? failure : fmt::format("{}; {}", failure, result_.failure);
    }
  }

  void verify() {
    report_stage(RunProgress::Stage::verifying);
    const Stopwatch watch;
    const Network& network = scenario_.network;
    Verification& verification = result_.verification;
    verification.checked = true;
    verification.tolerance = scenario_.verify.tolerance;
    verification.row_tolerance = scenario_.verify.row_tolerance;
    verification.end_to_end_tolerance = scenario_.verify.end_to_end_tolerance;
    Tensor embedded;
    if (!tokens_.empty()) embedded = reference_embedding(network, weights_, tokens_);
    TensorMap expected = reference_network(network, weights_, tokens_.empty() ? input_ : embedded,
                                           {compiled_.key_block, compiled_.sum_ways});
    if (!tokens_.empty()) expected.emplace("input", std::move(embedded));
    u64 different = 0;
    for (const auto& [name, tensor] : expected) {
      const Tensor& got = outputs_.at(name);
      for (std::size_t i = 0; i < tensor.data.size(); ++i) different += got.data[i] != tensor.data[i] ? 1 : 0;
    }
    verification.bit_exact = different == 0;
    measure_end_to_end(measure_stages());
    if (different != 0) {
      result_.failure = fmt::format("{} values differ from the fp16 reference", different);
    } else {
      check_tolerances();
    }
    result_.host_verify_seconds = watch.seconds();
  }

  void note_row(RowError& worst, const std::string& tensor, double error, u64 row) const {
    if (error <= worst.error) return;
    const u64 tokens = tensor == "logits" ? 1 : scenario_.network.tokens;
    worst = {error, tensor, row / tokens, row % tokens};
  }

  /// Each stage from the run's own input to it. Returns what the first layer's output is in fp32.
  std::vector<float> measure_stages() {
    const Network& network = scenario_.network;
    Verification& verification = result_.verification;
    const auto measure = [&](const std::string& name, const Tensor& got, const std::vector<float>& want,
                             const std::vector<double>& sizes = {}) {
      const RelativeError error = relative_error(got.data, want, got.shape.back(), sizes);
      verification.relative_error = std::max(verification.relative_error, error.whole);
      note_row(verification.row, name, error.largest_of_row, error.row);
      return error;
    };
    if (!tokens_.empty()) measure("input", input_, reference_float_embedding(network, weights_, tokens_));
    std::vector<float> first;
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
      const std::string name = layer_output(i);
      const Tensor& from = i == 0 ? input_ : outputs_.at(layer_output(i - 1));
      std::vector<float> want = reference_float(network, weights_, i, from);
      const RelativeError error = measure(name, outputs_.at(name), want);
      if (i == 0) first = std::move(want);
      for (LayerRow& row : result_.layers) {
        if (row.index != i) continue;
        row.relative_error = error.whole;
        row.row_error = error.largest_of_row;
      }
    }
    const Tensor& output = outputs_.at("output");
    if (network.norm == NormPlacement::pre) {
      const Tensor& last = outputs_.at(layer_output(network.layers.size() - 1));
      measure("output", output, reference_float_final_norm(network, weights_, last));
    }
    if (network.classes > 0) {
      const FloatLogits logits = reference_float_logits(network, weights_, widened(output.data));
      measure("logits", outputs_.at("logits"), logits.values, logits.sizes);
    }
    return first;
  }

  /// The last results, against a network that has rounded nothing on the way. Where the run's input is the network's,
  /// that network's first layer has been evaluated.
  void measure_end_to_end(const std::vector<float>& first_layer) {
    const Network& network = scenario_.network;
    Verification& verification = result_.verification;
    const FloatResult want =
        tokens_.empty()
            ? reference_float_network(network, weights_, first_layer, 1)
            : reference_float_network(network, weights_, reference_float_embedding(network, weights_, tokens_));
    const RelativeError output = relative_error(outputs_.at("output").data, want.output, network.hidden);
    verification.end_to_end_error = output.whole;
    note_row(verification.end_to_end_row, "output", output.largest_of_row, output.row);
    if (network.classes == 0) return;
    const RelativeError logits =
        relative_error(outputs_.at("logits").data, want.logits.values, network.classes, want.logits.sizes);
    note_row(verification.logits.emplace(), "logits", logits.largest_of_row, logits.row);
  }

  void check_tolerances() {
    const Verification& verification = result_.verification;
    const auto place = [](const RowError& row) {
      return row.tensor == "logits" ? fmt::format("sequence {}", row.sequence)
                                    : fmt::format("token {} of sequence {} of {}", row.token, row.sequence, row.tensor);
    };
    const auto check = [&](double error, double tolerance, const std::string& what, const char* key) {
      if (!result_.failure.empty() || error <= tolerance) return;
      result_.failure =
          fmt::format("the relative error of {} is {:.3g} and exceeds {:.3g} ({})", what, error, tolerance, key);
    };
    check(verification.relative_error, verification.tolerance, "a layer", "verify.tolerance");
    check(verification.row.error, verification.row_tolerance, place(verification.row), "verify.row_tolerance");
    const double end_to_end = verification.end_to_end_tolerance;
    const char* const key = "verify.end_to_end_tolerance";
    check(verification.end_to_end_row.error, end_to_end,
          place(verification.end_to_end_row) + ", from the network's input on,", key);
    if (verification.logits) {
      check(verification.logits->error, end_to_end,
            "the logits of " + place(*verification.logits) + ", from the network's input on,", key);
    }
  }

  const Scenario& scenario_;
  const RunRequest& request_;
  const ReportHandler report_handler_;
  const SimulationContext context_;
  std::unique_ptr<Soc> soc_;  // until it has been simulated
  RunResult result_;
  TensorMap weights_, outputs_;
  Tensor input_;             // what the first layer reads
  std::vector<u32> tokens_;  // where the network has a vocabulary
  CompiledNetwork compiled_;
  ElfImage elf_;
  std::optional<EnergyTable> table_;
  RunProgress progress_;
  LastLine last_line_;   // of the firmware
  double clock_hz_ = 0;  // of the accelerator, as simulated
  std::unique_ptr<PowerMonitor> power_;
  std::unique_ptr<Tracer> tracer_;
  std::unique_ptr<Waveform> waveform_;
  double setup_seconds_ = 0;
};

}  // namespace

std::filesystem::path firmware_of(const Scenario& scenario) {
  const std::string& given = scenario.run.firmware;
  if (!given.empty()) return given;
  if (const auto found = find_resource("firmware/network.elf")) return *found;
  throw InputError(
      "the platform's firmware (firmware/network.elf) was not found beside the executable; build it, or name "
      "one with run.firmware");
}

RunResult run_scenario(const Scenario& scenario, const RunRequest& request) { return Run(scenario, request).run(); }

}  // namespace bvp
