// SPDX-License-Identifier: Apache-2.0
// Measures single components at full speed.
#include <tlm_utils/simple_initiator_socket.h>

#include <fmt/format.h>

#include <chrono>
#include <random>
#include <systemc>

#include "models/base/simulation_context.h"
#include "models/memory/dram.h"
#include "models/transport/initiator.h"
#include "platform/bench/bench.h"
#include "platform/bench/child.h"
#include "platform/run/run.h"
#include "platform/support/resources.h"

namespace bvp {

namespace {

/// Sends requests one after the other, each as soon as an earlier one is done.
class Requester : public sc_core::sc_module {
 public:
  tlm_utils::simple_initiator_socket<Requester> out;
  Requester(sc_core::sc_module_name name, u64 requests, bool random)
      : sc_module(name), out("out"), requests_(requests), random_(random) {
    SC_THREAD(run);
  }
  SC_HAS_PROCESS(Requester);

 private:
  void run() {
    std::mt19937_64 generator(1);
    std::array<u8, 64> data{};
    std::array<sc_core::sc_time, 16> done{};
    tlm::tlm_generic_payload payload;
    for (u64 i = 0; i < requests_; ++i) {
      const sc_core::sc_time now = sc_core::sc_time_stamp(), free = done[i % done.size()];
      // The initiator is loosely timed: it runs up to a microsecond ahead.
      if (free > now + sc_core::sc_time(1, sc_core::SC_US)) wait(free - now);
      const tlm::tlm_command command = i % 4 == 3 ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND;
      const u64 address = random_ ? generator() % (u64{1} << 24) * 64 : i * 64 % (u64{1} << 28);
      const sc_core::sc_time begin = sc_core::sc_time_stamp();
      sc_core::sc_time delay = free > begin ? free - begin : sc_core::SC_ZERO_TIME;
      access(out, payload, command, address, data.data(), 64, delay);
      done[i % done.size()] = begin + delay;
    }
  }
  u64 requests_;
  bool random_;
};

nlohmann::json dram_speed(bool random) {
  const SimulationContext context;
  ParameterGroup root("bench");
  DramParameters parameters(&root);
  StatGroup stats("bench");
  constexpr u64 requests = 4'000'000;
  Dram dram("dram", parameters, stats);
  Requester requester("requester", requests, random);
  requester.out.bind(dram.target);
  const auto begin = std::chrono::steady_clock::now();
  sc_core::sc_start();
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
  return {{"requests_per_host_second", static_cast<double>(requests) / passed.count()}};
}

nlohmann::json cpu_speed(const char* application) {
  const auto firmware = find_resource(application);
  if (!firmware) throw InputError(fmt::format("{} was not found beside the executable", application));
  ScenarioOptions options;
  options.overrides = {{"run.firmware", firmware->string()}, {"run.time_limit_s", "0.5"}};
  const auto scenario = read_scenario_text(
      "network: {tokens: 8, hidden: 8, ffn: 8, layers: [{mixing: fft2d, ffn: butterfly}]}", "cpu.yaml", options);
  const RunResult result = run_scenario(*scenario, {});
  return {{"instructions_per_host_second", static_cast<double>(result.work.cpu_instructions) / result.host.seconds}};
}

}  // namespace

nlohmann::json component_speeds() {
  return {{"dram_sequential", in_child([] { return dram_speed(false); })},
          {"dram_random", in_child([] { return dram_speed(true); })},
          {"cpu_arithmetic", in_child([] { return cpu_speed("firmware/hash.elf"); })},
          {"cpu_copying", in_child([] { return cpu_speed("firmware/copy.elf"); })},
          {"cpu_jump_to_itself", in_child([] { return cpu_speed("firmware/spin.elf"); })}};
}

}  // namespace bvp
