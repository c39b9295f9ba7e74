// SPDX-License-Identifier: Apache-2.0
// Messages of the configuration plane between the sequencer and a PE.
#pragma once

#include "models/abi/records.h"

namespace bvp {

/// Addresses of a PE's configuration socket. They are commands and not storage. A write at configure_address carries a
/// whole kernel image into the PE's shadow context and replaces what was there. A write at launch_address carries a
/// LaunchRecord. The first launch after a configure makes the shadow context the active one; by then all launches of
/// the old context have been reported. A write of any word at stop_address ends the PE's work without a report and
/// empties both contexts. A word at rows_address has a bit for each row of the array that kernels leave out (RowMap);
/// it is refused while a launch is in the PE, and empties both contexts.
inline constexpr u64 configure_address = 0;
inline constexpr u64 launch_address = 0x1000;
inline constexpr u64 stop_address = 0x2000;
inline constexpr u64 rows_address = 0x3000;

#define BVP_LAUNCH_RECORD_FIELDS(F)                                                          \
  F(u32, launch_number, 1, "the number to report when done; consecutive launches count up")  \
  F(u32, flags, 1, "the command's flags that concern PEs: command_flag_resident")            \
  F(u32, counts, 4, "iterations of the instance levels 0 (outermost) to 3, each at least 1") \
  F(u32, registers, 16, "the launch registers")                                              \
  F(u32, tag, 1, "the command's tag")

struct LaunchRecord {
  BVP_LAUNCH_RECORD_FIELDS(BVP_DECLARE_FIELD)
};
static_assert(sizeof(LaunchRecord) == 92);

/// PE i writes this record to the sequencer at address i * sizeof(LaunchCompletion) when it has finished a launch.
struct LaunchCompletion {
  u32 launch_number = 0;
  u32 status = 0;  ///< 0: ok
};
static_assert(sizeof(LaunchCompletion) == 8);

}  // namespace bvp
