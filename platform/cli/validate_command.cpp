// SPDX-License-Identifier: Apache-2.0
// butterfly-vp validate
#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "platform/cli/commands.h"
#include "platform/network/network_json.h"
#include "platform/network/weights.h"
#include "platform/run/check_machine.h"
#include "platform/run/compile_scenario.h"
#include "platform/run/elf_image.h"
#include "platform/scenario/resources.h"
#include "platform/soc/memory_map.h"

namespace bvp {

void check_inputs(const Scenario& scenario) {
  const RunParameters& run = scenario.run;
  const Network& network = scenario.network;
  if (!run.weights.get().empty()) load_weights(run.weights.get(), network);
  if (!run.input.get().empty()) {
    if (network.vocabulary > 0) {
      load_tokens(run.input.get(), network);
    } else {
      load_input(run.input.get(), network);
    }
  }
  const std::optional<std::filesystem::path> firmware =
      run.firmware.get().empty() ? find_resource("firmware/network.elf") : run.firmware.get();
  if (firmware) {
    static_cast<void>(
        read_elf(*firmware, memory_map::boot_ram_base, static_cast<u64>(scenario.soc.boot_ram.size_bytes)));
  }
  check_machine(scenario);
  static_cast<void>(plan_scenario(scenario));
}

int validate_command(const std::vector<std::string>& files, const std::vector<Override>& overrides) {
  int exit_code = exit_passed;
  for (const std::string& file : files) {
    try {
      const auto scenario = read_scenario(file, scenario_options(overrides));
      check_inputs(*scenario);
      fmt::print("{}: valid\n", file);
      const std::string padding = zero_padding(scenario->network);
      if (!padding.empty()) fmt::print("{}: note: {}\n", file, padding);
    } catch (const InputError& error) {
      print_error(error.what());
      exit_code = exit_bad_input;
    }
  }
  return exit_code;
}

}  // namespace bvp
