// SPDX-License-Identifier: Apache-2.0
// Reads the files that a scenario names; errors name the key that names the file.
#pragma once

#include <filesystem>

#include "platform/run/elf_image.h"
#include "platform/scenario/scenario.h"
#include "platform/support/input_error.h"

namespace bvp {

/// Returns the result of `read`. @throws InputError  the message of `read`, preceded by the key and the place that gave
/// its value
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
