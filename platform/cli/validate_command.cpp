// SPDX-License-Identifier: Apache-2.0
// Defines the command `butterfly-vp validate`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>

#include "platform/cli/commands.h"
#include "platform/explore/definition.h"
#include "platform/explore/point_source.h"
#include "platform/explore/sweep.h"
#include "platform/network/dataset.h"
#include "platform/network/network_json.h"
#include "platform/network/weights.h"
#include "platform/run/check_machine.h"
#include "platform/run/compile_scenario.h"
#include "platform/run/scenario_files.h"
#include "platform/support/resources.h"

namespace bvp {

std::vector<std::string> check_inputs(const Scenario& scenario) {
  const RunParameters& run = scenario.run;
  const Network& network = scenario.network;
  std::vector<std::string> notes;
  if (!run.weights.get().empty()) {
    read_file_of(scenario, "run.weights", [&] { return load_weights(run.weights.get(), network, &notes); });
  }
  if (!run.input.get().empty()) {
    read_file_of(scenario, "run.input", [&] {
      if (network.vocabulary > 0) {
        load_tokens(run.input.get(), network);
      } else {
        load_input(run.input.get(), network);
      }
      if (network.padding_mask) load_mask(run.input.get(), network);
    });
  }
  if (const std::string& dataset = run.dataset; !dataset.empty()) {
    read_file_of(scenario, "run.dataset",
                 [&] { return load_dataset(dataset, network, static_cast<u64>(run.samples.get())); });
  }
  const char* const own = run.dataset.get().empty() ? "firmware/network.elf" : "firmware/dataset.elf";
  const std::optional<std::filesystem::path> firmware =
      run.firmware.get().empty() ? find_resource(own) : run.firmware.get();
  if (firmware) static_cast<void>(read_firmware(scenario, *firmware));
  check_machine(scenario);
  const CompiledNetwork plan = plan_scenario(scenario);
  if (run.spare_images) static_cast<void>(plan_spare(scenario, plan));
  return notes;
}

namespace {

struct Given {
  std::vector<std::string> files, sets;
};

/// Every line names the scenario, because it may be about another file.
void print_error_of(const std::string& file, const std::string& message) {
  std::istringstream lines(message);
  for (std::string line; std::getline(lines, line);) {
    print_error(line.compare(0, file.size(), file) == 0 ? line : fmt::format("{}: {}", file, line));
  }
}

/// Checks what a sweep would refuse before it runs anything.
void validate_sweep(const std::string& file, const std::vector<Override>& overrides, const BuildInfo& build) {
  SweepArguments arguments;
  arguments.file = file;
  arguments.sets = overrides;
  arguments.find_scenario = scenario_file;
  const ScenarioOptions options = scenario_options({});
  const SweepDefinition definition = read_sweep(arguments, options);
  for (const std::string& warning : check_sweep(definition, options, build)) {
    say(fmt::format("warning: {}\n", warning));
  }
  fmt::print("{}: valid, a sweep of {} points and the base\n", file, PointSource(definition).count());
}

int validate_command(const std::vector<std::string>& files, const std::vector<Override>& overrides,
                     const BuildInfo& build) {
  int exit_code = exit_passed;
  for (const std::string& file : files) {
    try {
      if (is_sweep_file(file)) {
        validate_sweep(file, overrides, build);
        continue;
      }
      const auto scenario = read_scenario(scenario_file(file), scenario_options(overrides));
      for (const std::string& note : check_inputs(*scenario)) say(fmt::format("note: {}: {}\n", file, note));
      const std::string padding = zero_padding(scenario->network);
      fmt::print("{}: valid{}{}\n", file, padding.empty() ? "" : "; note: ", padding);
    } catch (const InputError& error) {
      print_error_of(file, error.what());
      exit_code = exit_bad_input;
    }
  }
  return exit_code;
}

}  // namespace

void add_validate_command(CommandLine& line) {
  const auto given = std::make_shared<Given>();
  CLI::App& app = *line.app.add_subcommand("validate", "Check files of scenarios and of sweeps without running them");
  app.add_option("files", given->files, "Files of scenarios or sweeps, or names of shipped scenarios")
      ->required()
      ->type_name("SCENARIO");
  add_set_option(app, given->sets);
  app.final_callback([&line, given] {
    line.selected = [&line, given] {
      return validate_command(given->files, parse_overrides(given->sets), line.invocation.build);
    };
  });
}

}  // namespace bvp
