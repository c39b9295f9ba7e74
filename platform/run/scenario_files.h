// SPDX-License-Identifier: Apache-2.0
// Reading the files that a scenario names: what is wrong with one is said of the key that names it.
#pragma once

#include <filesystem>

#include "platform/run/elf_image.h"
#include "platform/scenario/scenario.h"
#include "platform/support/input_error.h"

namespace bvp {

/// What `read` returns. @throws InputError  what `read` throws, with the key and the place that gave its value before
/// it
template <class Read>
auto read_file_of(const Scenario& scenario, const char* key, const Read& read) {
  try {
    return read();
  } catch (const InputError& error) {
    throw InputError(about_key(scenario, key, error.what()));
  }
}

/// @param file  the scenario's firmware, or the platform's own. @throws InputError  see read_elf()
[[nodiscard]] ElfImage read_firmware(const Scenario& scenario, const std::filesystem::path& file);

}  // namespace bvp
