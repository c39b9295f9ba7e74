// SPDX-License-Identifier: Apache-2.0
#include "platform/run/scenario_files.h"

#include "platform/soc/memory_map.h"

namespace bvp {

ElfImage read_firmware(const Scenario& scenario, const std::filesystem::path& file) {
  const char* const size = "soc.boot_ram.size_bytes";
  const bool given = scenario.given.count(size) != 0 || scenario.run.firmware.get().empty();
  try {
    return read_elf(file, memory_map::boot_ram_base, static_cast<u64>(scenario.soc.boot_ram.size_bytes));
  } catch (const BootRamError& error) {
    throw InputError(about_key(scenario, given ? size : "run.firmware", error.what()));
  } catch (const InputError& error) {
    throw InputError(about_key(scenario, "run.firmware", error.what()));
  }
}

}  // namespace bvp
