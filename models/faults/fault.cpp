// SPDX-License-Identifier: Apache-2.0
#include "models/faults/fault.h"

#include <array>
#include <vector>

namespace bvp {
namespace {

constexpr std::array kind_names{
#define BVP_FAULT_NAME(name, description) #name,
    BVP_FAULT_KINDS(BVP_FAULT_NAME)
#undef BVP_FAULT_NAME
};

FaultKind kind_named(const std::string& name) {
  std::size_t index = 0;
  while (index + 1 < kind_names.size() && name != kind_names[index]) ++index;
  return static_cast<FaultKind>(index);
}

std::string descriptions() {
  std::string text = "What goes wrong.";
#define BVP_FAULT_DESCRIPTION(name, description) text += " " #name ": " description ".";
  BVP_FAULT_KINDS(BVP_FAULT_DESCRIPTION)
#undef BVP_FAULT_DESCRIPTION
  return text;
}

}  // namespace

const char* name_of(FaultKind kind) { return kind_names.at(static_cast<std::size_t>(kind)); }

FaultParameters::FaultParameters()
    : ParameterGroup("fault", "a fault that the run meets"),
      kind(this, "kind", "bus_error", std::vector<std::string>(kind_names.begin(), kind_names.end()), descriptions(),
           "choice of the user", Confidence::high),
      time_s(this, "time_s", 0, "s", {0, 1e6},
             "Simulated time of the fault. Events before it are not counted; bits turn over and a spurious interrupt "
             "comes at this time.",
             "choice of the user", Confidence::high),
      address(this, "address", -1, "bytes", {-1, 9007199254740992.0},
              "bus_error, slow_dram: bus address, only accesses that touch it count; -1: all. dram_bit_flip, "
              "scratchpad_bit_flip: byte offset in the memory, which is needed.",
              "choice of the user", Confidence::high),
      nth(this, "nth", 1, "events", {1, 1e15},
          "Number of the event that is hit, from 1: accesses, ends of transfers or of launches, interrupts, commands "
          "or "
          "bursts of images, as the kind and the keys address and unit say.",
          "choice of the user", Confidence::high),
      count(this, "count", 1, "events", {0, 1e15}, "Events in a row that are hit; 0: all from the first one on.",
            "choice of the user", Confidence::high),
      unit(this, "unit", -1, "1", {-1, 4095},
           "bus_error: the source as the protection unit numbers them (0 the sequencer, 2 + c DMA channel c). "
           "dma_error, "
           "lost_completion: the DMA channel. stuck_pe: the PE, row by row. -1: any.",
           "choice of the user", Confidence::high),
      bit(this, "bit", 0, "bits", {0, 32767},
          "First bit that turns over, from bit 0 of the byte at the address, of the command, or of the burst.",
          "choice of the user", Confidence::high),
      bits(this, "bits", 1, "bits", {1, 64}, "Adjacent bits that turn over.", "choice of the user", Confidence::high),
      delay_s(this, "delay_s", 1e-6, "s", {0, 1e3},
              "slow_dram, interrupt_late: by how much. interrupt_spurious: for how long the line is raised.",
              "choice of the user", Confidence::high) {}

Fault FaultParameters::value() const {
  Fault fault;
  fault.kind = kind_named(kind);
  fault.time_s = time_s;
  fault.address = address;
  fault.nth = static_cast<u64>(nth.get());
  fault.count = static_cast<u64>(count.get());
  fault.unit = unit;
  fault.bit = static_cast<u32>(bit.get());
  fault.bits = static_cast<u32>(bits.get());
  fault.delay_s = delay_s;
  return fault;
}

}  // namespace bvp
