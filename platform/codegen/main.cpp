// SPDX-License-Identifier: Apache-2.0
// bvp-codegen: writes the firmware's C header and linker memory map, the reference pages and the JSON Schema
// from the declarations of the models and the platform.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <systemc>

#include "platform/codegen/c_header.h"
#include "platform/codegen/reference_pages.h"
#include "platform/codegen/register_banks.h"
#include "platform/scenario/scenario_schema.h"
#include "platform/soc/memory_map.h"
#include "platform/soc/soc_parameters.h"

namespace bvp {
namespace {

namespace fs = std::filesystem;

/// Does not write a file that has this content already, so that nothing is rebuilt needlessly.
void write_file(const fs::path& path, const std::string& text) {
  {
    std::ifstream old(path, std::ios::binary);
    if (old && std::string(std::istreambuf_iterator<char>(old), {}) == text) return;
  }
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (!out) throw std::runtime_error(fmt::format("cannot write {}", path.string()));
}

std::string linker_memory() {
  ParameterGroup root("codegen");
  const SocParameters soc(&root);
  return fmt::format(
      "/* Written by bvp-codegen: the memories as large as they are by default. */\n"
      "MEMORY {{\n"
      "  BOOT_RAM (rwx) : ORIGIN = {:#x}, LENGTH = {:#x}\n"
      "  DRAM (rwx) : ORIGIN = {:#x}, LENGTH = {:#x}\n"
      "}}\n",
      memory_map::boot_ram_base, soc.boot_ram.size_bytes.get(), memory_map::dram_base,
      soc.dram.geometry.size_bytes.get());
}

void write_pages(const fs::path& directory) {
  fs::create_directories(directory);
  for (const auto& [name, text] : reference_pages(register_banks())) write_file(directory / name, text);
}

const std::map<std::string, std::function<void(const fs::path&)>>& products() {
  static const std::map<std::string, std::function<void(const fs::path&)>> all = {
      {"header", [](const fs::path& path) { write_file(path, c_header(register_banks())); }},
      {"linker", [](const fs::path& path) { write_file(path, linker_memory()); }},
      {"docs", write_pages},
      {"schema", [](const fs::path& path) { write_file(path, scenario_schema().dump(2) + "\n"); }},
  };
  return all;
}

int run(int argc, char* argv[]) {
  if (argc != 3 || products().count(argv[1]) == 0) {
    fmt::print(stderr, "usage: bvp-codegen header FILE | linker FILE | docs DIRECTORY | schema FILE\n");
    return 2;
  }
  try {
    products().at(argv[1])(argv[2]);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "bvp-codegen: {}\n", error.what());
    return 1;
  }
}

}  // namespace
}  // namespace bvp

int sc_main(int argc, char* argv[]) { return bvp::run(argc, argv); }

// libsystemc has a main function, which would print a banner; this one replaces it.
int main(int argc, char* argv[]) {
  setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
  return sc_core::sc_elab_and_sim(argc, argv);
}
