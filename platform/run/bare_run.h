// SPDX-License-Identifier: Apache-2.0
// Runs a program without a network on the SoC of a scenario.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "platform/run/run.h"
#include "platform/scenario/scenario.h"

namespace bvp {

struct BareResult {
  std::string failure;  ///< empty: the program ended with exit code 0
  int exit_code = -1;   ///< of the program; -1: it has not ended
  double simulated_s = 0;
  u64 cycles = 0;        ///< of the SoC's clock
  u64 instructions = 0;  ///< of the CPU
};

/// Loads the ELF file that the scenario names as its firmware, whose segments may lie anywhere in boot RAM and DRAM,
/// starts it at its entry, and simulates to its end: a store to `tohost`, a semihosting call, or the simulation
/// control.
/// @param files  the directory whose files the program may open by semihosting; nothing: none
/// @throws InputError  the file or the directory is not there or cannot be used
[[nodiscard]] BareResult run_bare(const Scenario& scenario, const std::optional<std::filesystem::path>& files,
                                  const RunRequest& request);

}  // namespace bvp
