// SPDX-License-Identifier: Apache-2.0
// Faults that a scenario asks for, as parameters and as values.
#pragma once

#include <string>

#include "models/base/parameters.h"

namespace bvp {

// X(name, description)
#define BVP_FAULT_KINDS(X)                                                                                     \
  X(bus_error, "the bus answers an access of the accelerator with an error")                                   \
  X(dma_error, "a DMA transfer ends with an error although its data have been moved")                          \
  X(dram_bit_flip, "bits of the DRAM turn over")                                                               \
  X(scratchpad_bit_flip, "bits of the scratchpad turn over")                                                   \
  X(stuck_pe, "a PE does not report the end of a launch")                                                      \
  X(interrupt_dropped, "the sequencer's interrupt does not reach the interrupt controller until it is served") \
  X(interrupt_spurious, "the sequencer's interrupt line is raised without a reason")                           \
  X(interrupt_late, "the sequencer's interrupt reaches the interrupt controller late")                         \
  X(lost_completion, "the end of a DMA transfer does not reach the sequencer")                                 \
  X(corrupt_command, "bits of a command turn over on the way from the ring to the sequencer")                  \
  X(corrupt_image, "bits of a kernel image turn over on the way to the sequencer")                             \
  X(slow_dram, "the accelerator's accesses to the DRAM take longer")

enum class FaultKind {
#define BVP_DECLARE_FAULT_KIND(name, description) name,
  BVP_FAULT_KINDS(BVP_DECLARE_FAULT_KIND)
#undef BVP_DECLARE_FAULT_KIND
};

/// As in a scenario.
[[nodiscard]] const char* name_of(FaultKind kind);

struct Fault {
  FaultKind kind = FaultKind::bus_error;
  double time_s = 0;
  i64 address = -1;
  u64 nth = 1, count = 1;
  i64 unit = -1;
  u32 bit = 0, bits = 1;
  double delay_s = 0;
};

/// One entry of `faults`.
struct FaultParameters : ParameterGroup {
  FaultParameters();

  [[nodiscard]] Fault value() const;

  Param<std::string> kind;
  Param<double> time_s;
  Param<i64> address;
  Param<i64> nth;
  Param<i64> count;
  Param<i64> unit;
  Param<i64> bit;
  Param<i64> bits;
  Param<double> delay_s;
};

}  // namespace bvp
