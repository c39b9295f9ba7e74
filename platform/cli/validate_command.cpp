// SPDX-License-Identifier: Apache-2.0
// butterfly-vp validate
#include <fmt/format.h>

#include <cstdio>

#include "platform/cli/commands.h"
#include "platform/network/weights.h"
#include "platform/run/check_machine.h"
#include "platform/run/compile_scenario.h"

namespace bvp {

int validate_command(const std::vector<std::string>& files, const std::vector<Override>& overrides) {
  int exit_code = exit_passed;
  for (const std::string& file : files) {
    try {
      const auto scenario = read_scenario(file, scenario_options(overrides));
      const RunParameters& run = scenario->run;
      if (!run.weights.get().empty()) load_weights(run.weights.get(), scenario->network);
      if (!run.input.get().empty()) {
        if (scenario->network.vocabulary > 0) {
          load_tokens(run.input.get(), scenario->network);
        } else {
          load_input(run.input.get(), scenario->network);
        }
      }
      check_machine(*scenario);
      static_cast<void>(plan_scenario(*scenario));
      fmt::print("{}: valid\n", file);
    } catch (const InputError& error) {
      print_error(error.what());
      exit_code = exit_bad_input;
    }
  }
  return exit_code;
}

}  // namespace bvp
