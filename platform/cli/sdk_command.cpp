// SPDX-License-Identifier: Apache-2.0
// Defines the command `butterfly-vp sdk`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <fstream>
#include <memory>

#include "platform/cli/commands.h"
#include "platform/support/input_error.h"
#include "platform/support/resources.h"

namespace bvp {
namespace {

namespace fs = std::filesystem;

struct Place {
  const char* name;
  const char* path;  ///< in the SDK
  const char* what;
};

constexpr std::array<Place, 6> places{{{"root", "", "all of it"},
                                       {"toolchain", "cmake/toolchain.cmake", "CMAKE_TOOLCHAIN_FILE"},
                                       {"include", "include", "headers"},
                                       {"library", "lib", "library and linker scripts"},
                                       {"template", "template", "an application to copy"},
                                       {"examples", "examples", "short programs"}}};

/// The options that the build has left in a file of the SDK, for those who do not use CMake.
std::string flags(const fs::path& sdk, const char* kind) {
  const fs::path path = sdk / "flags" / kind;
  std::ifstream file(path);
  std::string text;
  if (!std::getline(file, text))
    throw InputError(fmt::format("{}: cannot be read; install the SDK again", path.string()));
  return text;
}

std::string compile_flags(const fs::path& sdk) {
  return fmt::format("{} -I{}", flags(sdk, "compile"), (sdk / "include").string());
}

std::string link_flags(const fs::path& sdk) {
  return fmt::format("{} -L{} -Tlink.ld -lbutterfly-vp", flags(sdk, "link"), (sdk / "lib").string());
}

fs::path sdk_directory() {
  if (const auto found = find_resource("sdk/cmake/toolchain.cmake")) {
    return fs::weakly_canonical(found->parent_path().parent_path());
  }
  throw InputError(
      "the SDK for firmware (sdk/cmake/toolchain.cmake) was not found beside the executable; build or install it");
}

int print_sdk(const std::string& wanted) {
  const fs::path sdk = sdk_directory();
  if (wanted == "cflags") {
    fmt::print("{}\n", compile_flags(sdk));
  } else if (wanted == "ldflags") {
    fmt::print("{}\n", link_flags(sdk));
  } else if (!wanted.empty()) {
    for (const Place& place : places) {
      if (wanted == place.name) fmt::print("{}\n", (*place.path != '\0' ? sdk / place.path : sdk).string());
    }
  } else {
    for (const Place& place : places) {
      fmt::print("{:<10} {}  ({})\n", place.name, (*place.path != '\0' ? sdk / place.path : sdk).string(), place.what);
    }
    fmt::print("{:<10} {}\n{:<10} {}\n", "cflags", compile_flags(sdk), "ldflags", link_flags(sdk));
  }
  return exit_passed;
}

}  // namespace

void add_sdk_command(CommandLine& line) {
  const auto wanted = std::make_shared<std::string>();
  CLI::App& app = *line.app.add_subcommand("sdk", "Paths and flags for building firmware");
  CLI::App& only = *app.add_option_group("one of them alone");
  only.require_option(0, 1);
  const auto add = [&](const std::string& name, const std::string& what) {
    only.add_flag_callback(
        "--" + name, [wanted, name] { *wanted = name; }, what);
  };
  for (const Place& place : places) add(place.name, place.what);
  add("cflags", "Options of riscv64-unknown-elf-gcc for compiling");
  add("ldflags", "Options for linking, behind the program's objects");
  app.final_callback([&line, wanted] { line.selected = [wanted] { return print_sdk(*wanted); }; });
}

}  // namespace bvp
