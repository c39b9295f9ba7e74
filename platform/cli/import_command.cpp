// SPDX-License-Identifier: Apache-2.0
// Defines the command `butterfly-vp import`.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "platform/cli/commands.h"
#include "platform/cli/new_directory.h"
#include "platform/import/import.h"
#include "platform/network/safetensors.h"
#include "platform/network/weights.h"
#include "platform/run/check_machine.h"
#include "platform/run/compile_scenario.h"
#include "platform/scenario/scenario_checks.h"
#include "platform/support/input_error.h"
#include "platform/support/output_file.h"
#include "platform/support/printable.h"

namespace bvp {
namespace {

namespace fs = std::filesystem;

constexpr const char* scenario_name = "scenario.yaml";
constexpr const char* weights_name = "weights.safetensors";

struct Given {
  ImportOptions import;
  fs::path output;
};

/// Why the machine of the scenario cannot run it; empty if it can. @param name  what the message calls the file
std::string why_no_run(const fs::path& scenario_path, const fs::path& name) {
  try {
    const auto scenario = read_scenario(scenario_path, scenario_options({}));
    check_machine(*scenario);
    static_cast<void>(plan_scenario(*scenario));
    return {};
  } catch (const InputError& error) {
    std::string message = error.what();
    const std::string staged = scenario_path.string();
    for (std::size_t at = message.find(staged); at != std::string::npos; at = message.find(staged, at)) {
      message.replace(at, staged.size(), name.string());
      at += name.string().size();
    }
    return message;
  }
}

void print_list(const char* title, const std::vector<std::string>& sentences) {
  if (sentences.empty()) return;
  fmt::print("{}\n", title);
  for (const std::string& sentence : sentences) fmt::print("  {}\n", sentence);
}

int import_command(const Given& given) {
  const ImportedNetwork imported = import_network(given.import);
  const Network& network = imported.network;
  NewDirectory directory(given.output, {scenario_name, weights_name});
  write_file(directory.staging() / scenario_name, scenario_text(imported, directory.name()));
  write_safetensors(directory.staging() / weights_name, imported.weights);
  const std::string problem = why_no_run(directory.staging() / scenario_name, given.output / scenario_name);
  directory.commit();
  u64 parameters = 0;
  for (const auto& [name, tensor] : imported.weights) parameters += tensor.data.size();
  fmt::print("{}: {} tokens of {} values, {} parameters\n", imported.model, network.tokens, network.hidden, parameters);
  print_list("mapped:", imported.mapped);
  print_list("approximated:", imported.approximate);
  print_list("left out:", imported.left_out);
  const fs::path scenario = given.output / scenario_name;
  if (!problem.empty()) say(fmt::format("note: the scenario's machine does not run it yet: {}\n", problem));
  fmt::print("\nbutterfly-vp run {}\n", scenario.string());
  return exit_passed;
}

}  // namespace

void add_import_command(CommandLine& line) {
  const auto given = std::make_shared<Given>();
  CLI::App& app =
      *line.app.add_subcommand("import", "Make a scenario and its weights of a network of PyTorch or Hugging Face");
  app.add_option(
         "source", given->import.source,
         "Directory with config.json and safetensors files, or such a file, or the index of several, or MODEL.onnx")
      ->required()
      ->type_name("SOURCE");
  app.add_option("--output", given->output, "New directory for scenario.yaml and weights.safetensors")
      ->required()
      ->check(not_empty())
      ->type_name("DIR");
  app.add_option("--config", given->import.config, "The configuration, instead of config.json beside the tensors")
      ->check(not_empty())
      ->type_name("FILE");
  app.add_option("--tokens", given->import.tokens, "Tokens of a sequence; default: as many as the model has positions")
      ->check(CLI::Range(1, 1 << 20))
      ->type_name("N");
  app.add_option("--batch", given->import.batch, "Sequences computed together")
      ->check(CLI::Range(1, 4096))
      ->type_name("N");
  app.add_flag("--token-types", given->import.token_types,
               "Token ids say the type of a token, too: id + type * vocabulary; otherwise all are of type 0");
  app.add_flag("--padding-mask", given->import.padding_mask,
               "Attention leaves out tokens that the input's mask says; otherwise all sequences are whole");
  app.final_callback([&line, given] { line.selected = [given] { return import_command(*given); }; });
}

}  // namespace bvp
