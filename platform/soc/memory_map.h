// SPDX-License-Identifier: Apache-2.0
// Where everything lies on the SoC's bus, and which interrupt line is whose. The firmware header and
// the memory map in docs/ are made from these lists.
#pragma once

#include "models/base/types.h"

namespace bvp {

// X(name, base, bytes, description); sizes of the RAMs are the most the map allows, the parameters say how much is
// there
#define BVP_MEMORY_MAP(X)                                                              \
  X(timer, 0x02000000, 0x10000, "machine timer (mtime, mtimecmp)")                     \
  X(interrupt_controller, 0x0c000000, 0x1000, "interrupt controller of the devices")   \
  X(uart, 0x10000000, 0x1000, "UART")                                                  \
  X(simulation_control, 0x10001000, 0x1000, "ends the run, marks regions of interest") \
  X(power_controller, 0x10002000, 0x1000, "power states of the array")                 \
  X(sequencer, 0x10010000, 0x1000, "the accelerator's sequencer")                      \
  X(boot_ram, 0x20000000, 0x01000000, "RAM of the firmware: code, data, stack")        \
  X(scratchpad, 0x40000000, 0x20000000, "the accelerator's scratchpad, linear view")   \
  X(dram, 0x80000000, 0x100000000, "DRAM")

#define BVP_DECLARE_REGION(name, base, bytes, description) \
  inline constexpr u64 name##_base = base;                 \
  inline constexpr u64 name##_span = bytes;
namespace memory_map {
BVP_MEMORY_MAP(BVP_DECLARE_REGION)
}

// X(name, line, description): lines of the interrupt controller
#define BVP_INTERRUPT_MAP(X)                        \
  X(uart, 1, "UART: a character has been received") \
  X(sequencer, 2, "sequencer: completion or error")

#define BVP_DECLARE_INTERRUPT(name, line, description) inline constexpr unsigned name = line;
namespace interrupt_map {
BVP_INTERRUPT_MAP(BVP_DECLARE_INTERRUPT)
}

}  // namespace bvp
