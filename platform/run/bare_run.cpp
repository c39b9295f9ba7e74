// SPDX-License-Identifier: Apache-2.0
#include "platform/run/bare_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "models/base/simulation_context.h"
#include "platform/debug/debugger.h"
#include "platform/hosted/host_tube.h"
#include "platform/hosted/semihosting.h"
#include "platform/run/check_machine.h"
#include "platform/run/cpu_state.h"
#include "platform/run/firmware_watch.h"
#include "platform/run/machine.h"
#include "platform/run/report_handler.h"
#include "platform/run/scenario_files.h"
#include "platform/run/uart_input.h"
#include "platform/soc/memory_map.h"
#include "platform/soc/soc.h"

namespace bvp {
namespace {

constexpr u64 page_bytes = 4096;

std::vector<MemoryRange> memories_of(const Scenario& scenario) {
  return {{memory_map::boot_ram_base, static_cast<u64>(scenario.soc.boot_ram.size_bytes)},
          {memory_map::dram_base, static_cast<u64>(scenario.soc.dram.geometry.size_bytes)}};
}

/// The address of a symbol of the host-target interface, if the program has it.
std::optional<u64> host_word(const Scenario& scenario, const ElfImage& program, const char* name) {
  const std::optional<u64> address = program.symbols.find(name);
  if (!address) return std::nullopt;
  const std::string file = firmware_of(scenario).string();
  const std::vector<MemoryRange> memories = memories_of(scenario);
  const bool in_ram = std::any_of(memories.begin(), memories.end(), [&](const MemoryRange& memory) {
    return *address >= memory.base && *address - memory.base < memory.bytes;
  });
  if (!in_ram || *address % sizeof(u64) != 0) {
    throw InputError(
        fmt::format("{}: its symbol {} is {:#x}; expected an address in the boot RAM or the DRAM that is a "
                    "multiple of {}",
                    file, name, *address, sizeof(u64)));
  }
  if (*address / page_bytes == program.entry / page_bytes) {
    throw InputError(
        fmt::format("{}: its symbol {} is {:#x}, on one page with its entry {:#x}; expected {} bytes of "
                    "their own for tohost and fromhost (.align 12), because stores there go over the bus",
                    file, name, *address, program.entry, page_bytes));
  }
  return address;
}

class BareRun {
 public:
  BareRun(Soc& soc, const Scenario& scenario, const ElfImage& program,
          const std::optional<std::filesystem::path>& files, const RunRequest& request)
      : soc_(soc), scenario_(scenario), program_(program), request_(request) {
    const auto print = [this](std::string_view text) {
      if (request_.uart) request_.uart(text);
    };
    const auto exit = [this](u64 code) { end_with(code); };
    if (const auto tohost = host_word(scenario, program, "tohost")) {
      tube_ = std::make_unique<HostTube>(soc, *tohost, host_word(scenario, program, "fromhost"),
                                         HostTube::Ports{print, exit});
    }
    semihosting_ = std::make_unique<Semihosting>(soc, files, Semihosting::Ports{print, exit});
    connections_.push_back(soc.simulation_control.exited.connect(
        [this](int code) { end_with(static_cast<u64>(static_cast<unsigned>(code))); }));
    connections_.push_back(soc.cpu.halts.connect([](const std::string&) { sc_core::sc_stop(); }));
    connections_.push_back(soc.uart.sent.connect([print](char character) { print(std::string_view(&character, 1)); }));
    if (request.gdb != nullptr) {
      debugger_ = std::make_unique<Debugger>(
          soc, *request.gdb, Debugger::Options{request.stop_at_reset, request.interrupted, request.say});
    }
    if (request.watch != nullptr) request.watch->attach(soc, scenario.soc.cpu, program.symbols);
    connect_input(soc, request.uart_input);
    soc.cpu.set_reset_pc(program.entry);
    soc.set_loader([this] {
      for (const ElfImage::Part& part : program_.parts) {
        soc_.write_memory(part.address, part.bytes.data(), part.bytes.size());
      }
    });
  }

  BareResult simulate() {
    BareResult result;
    try {
      result.failure = run_to_the_end();
    } catch (const sc_core::sc_report& report) {
      result.failure = fmt::format("the simulation stopped: {}: {}", report.get_msg_type(), report.get_msg());
    }
    result.exit_code = exit_code_ ? static_cast<int>(*exit_code_) : -1;
    if (debugger_) debugger_->end(result.exit_code);
    soc_.end_simulation();
    if (request_.watch != nullptr) request_.watch->detach(soc_);
    result.simulated_s = sc_core::sc_time_stamp().to_seconds();
    result.cycles = soc_.clock().now();
    result.instructions = exit_code_ ? instructions_ : soc_.cpu.instructions();
    if (!exit_code_ && request_.say) request_.say(describe_cpu(soc_, program_.symbols));
    return result;
  }

 private:
  void end_with(u64 code) {
    // The CPU may compute to the end of its quantum before the simulation stops.
    if (!exit_code_) instructions_ = soc_.cpu.instructions();
    if (!exit_code_) exit_code_ = code;
    sc_core::sc_stop();
  }

  std::string run_to_the_end() {
    const sc_core::sc_time limit(scenario_.run.time_limit_s, sc_core::SC_SEC), longest_step(10, sc_core::SC_US);
    while (!exit_code_ && !soc_.cpu.halted()) {
      if (debugger_ && debugger_->killed()) return "ended by gdb";
      if (request_.interrupted && request_.interrupted()) return "interrupted";
      const sc_core::sc_time now = sc_core::sc_time_stamp();
      if (now >= limit) {
        return fmt::format("the simulated-time limit of {} s (run.time_limit_s) was reached at pc {}",
                           scenario_.run.time_limit_s.get(), program_.symbols.place(soc_.cpu.pc()));
      }
      soc_.advance(std::min(longest_step, limit - now), !debugger_);
      if (request_.uart_input != nullptr) soc_.uart.poll_input();
      if (debugger_ && !exit_code_) debugger_->poll();
      // With a debugger somebody may still change what the program waits for.
      const bool stuck = !debugger_ && !exit_code_ && soc_.idle();
      if (stuck && !await_input(soc_, request_.uart_input)) {
        return fmt::format(
            "nothing can happen any more: the CPU sleeps in WFI at pc {}, and no event is left to wake it",
            program_.symbols.place(soc_.cpu.pc()));
      }
    }
    if (!exit_code_) return "the CPU halted: " + program_.symbols.with_names(soc_.cpu.halt_reason());
    return *exit_code_ == 0 ? std::string{} : fmt::format("the program ended with exit code {}", *exit_code_);
  }

  Soc& soc_;
  const Scenario& scenario_;
  const ElfImage& program_;
  const RunRequest& request_;
  std::unique_ptr<HostTube> tube_;
  std::unique_ptr<Semihosting> semihosting_;
  std::unique_ptr<Debugger> debugger_;
  std::optional<u64> exit_code_;
  u64 instructions_ = 0;  // when the program ended
  std::vector<Connection> connections_;
};

}  // namespace

BareResult run_bare(const Scenario& scenario, const std::optional<std::filesystem::path>& files,
                    const RunRequest& request) {
  const ReportHandler report_handler;
  const SimulationContext context;
  std::error_code error;
  if (files && !std::filesystem::is_directory(*files, error)) {
    throw InputError(fmt::format("{}: no such directory; expected one for the files of the program", files->string()));
  }
  const ElfImage program = read_file_of(scenario, "run.firmware",
                                        [&] { return read_bare_elf(firmware_of(scenario), memories_of(scenario)); });
  const std::unique_ptr<Soc> soc = build_machine(scenario, true, load_energy_table(scenario), load_area_table());
  BareRun run(*soc, scenario, program, files, request);
  if (request.begin) request.begin();
  const BareResult result = run.simulate();
  if (request.end) request.end();
  return result;
}

}  // namespace bvp
