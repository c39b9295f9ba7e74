// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <new>
#include <system_error>

#include "platform/cli/commands.h"
#include "platform/support/interruption.h"
#include "platform/support/nearest.h"
#include "platform/support/printable.h"
#include "platform/support/resources.h"

namespace bvp {

void say(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

void print_error(const std::string& message) {
  std::size_t begin = 0;
  while (begin <= message.size()) {
    const std::size_t end = std::min(message.find('\n', begin), message.size());
    say(fmt::format("error: {}\n", message.substr(begin, end - begin)));
    begin = end + 1;
  }
}

namespace {

InputError unknown_command(const CLI::App& app, const std::string& found) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    if (!command->get_group().empty()) names.push_back(command->get_name());
  }
  const std::string near = nearest_word(found, names);
  return InputError(fmt::format("unknown command '{}'{}; expected one of: {}", found,
                                near.empty() ? "" : fmt::format(", did you mean '{}'?", near), fmt::join(names, ", ")));
}

int dispatch(int argc, const char* const* argv, const BuildInfo& build) {
  CLI::App app{"butterfly-vp: a virtual platform of a dataflow accelerator for butterfly-sparse attention networks"};
  app.require_subcommand(1);
  app.set_version_flag("--version", build_text(build), "Print version, commit and build, and exit");
  app.set_help_all_flag("--help-all", "Print the help of all commands and exit");
  app.footer(
      "Exit codes: 0 done and verified, 1 the run or its verification failed or something could not be written once "
      "begun, 2 bad usage or input, or a place for results that cannot be written, 128 + N ended by signal N.");
  app.failure_message([](const CLI::App* failed, const CLI::Error& error) {
    return "error: " + CLI::FailureMessage::simple(failed, error);
  });
  const Invocation invocation{build, {argv, argv + argc}};
  CommandLine line{app, invocation, {}};
  for (const auto add :
       {add_run_command, add_validate_command, add_bench_command, add_compare_command, add_sweep_command,
        add_campaign_command, add_report_command, add_describe_command, add_import_command, add_project_command,
        add_sdk_command, add_asm_command, add_disasm_command, add_compile_command, add_worker_command}) {
    add(line);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (app.get_subcommands().empty() && argc > 1 && argv[1][0] != '-') throw unknown_command(app, argv[1]);
    return app.exit(error) == 0 ? exit_passed : exit_bad_input;
  }
  return line.selected();
}

}  // namespace

CLI::Option* add_set_option(CLI::App& command, std::vector<std::string>& sets) {
  return command
      .add_option("--set", sets, "Override a key of the scenario, for example soc.array.lanes=8; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
}

std::vector<Override> parse_overrides(const std::vector<std::string>& sets) {
  std::vector<Override> overrides;
  for (const std::string& text : sets) overrides.push_back(parse_override(text));
  return overrides;
}

CLI::Validator not_empty() {
  return CLI::Validator([](const std::string& text) { return std::string(text.empty() ? "is empty" : ""); }, "");
}

std::string scenario_file(const std::string& given) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const fs::file_status status = fs::status(given, ignored);
  const bool absent = status.type() == fs::file_type::not_found;
  // The command that reads the file reports why it cannot be reached.
  if (!absent && !fs::is_directory(status)) return given;
  const auto shipped = find_resource("scenarios");
  const bool is_name = given.find('/') == std::string::npos && fs::path(given).extension() != ".yaml";
  if (!is_name || !shipped) return given;
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(*shipped, ignored)) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  if (std::find(names.begin(), names.end(), given) != names.end()) return (*shipped / (given + ".yaml")).string();
  if (!absent) return given;
  std::sort(names.begin(), names.end());
  const std::string near = nearest_word(given, names);
  throw InputError(fmt::format("{}: there is no such file, and no shipped scenario of this name{}; shipped are: {}",
                               printable(given), near.empty() ? "" : fmt::format(", did you mean '{}'?", near),
                               fmt::join(names, ", ")));
}

ScenarioOptions scenario_options(const std::vector<Override>& overrides) {
  ScenarioOptions options;
  options.overrides = overrides;
  if (const auto scenarios = find_resource("scenarios")) options.directories.push_back(*scenarios);
  return options;
}

namespace {

int output_failed() {
  print_error("standard output cannot be written");
  return exit_failed;
}

}  // namespace

int command_line(int argc, const char* const* argv, const BuildInfo& build) {
  const Interruption interruption;
  try {
    const int exit_code = dispatch(argc, argv, build);
    return std::fflush(stdout) == 0 && std::ferror(stdout) == 0 ? exit_code : output_failed();
  } catch (const InputError& error) {
    print_error(error.what());
    return exit_bad_input;
  } catch (const std::bad_alloc&) {
    print_error("the host has no more memory for this; make the network or the machine smaller, or raise the limit");
    return exit_failed;
  } catch (const std::exception& error) {
    // fmt::print throws where the other output functions of the standard library set an error flag.
    const bool of_output = dynamic_cast<const std::system_error*>(&error) != nullptr && std::ferror(stdout) != 0;
    if (of_output) return output_failed();
    print_error(error.what());
    return exit_failed;
  }
}

}  // namespace bvp
