// SPDX-License-Identifier: Apache-2.0
#include "models/pe/pe_parameters.h"

#include <algorithm>
#include <utility>

namespace bvp {

PeParameters::PeParameters(ParameterGroup* parent, std::string name, std::string description)
    : ParameterGroup(parent, std::move(name), std::move(description)),
      operand_vectors(this, "operand_vectors", 256, "vectors", {16, 2048},
                      "Capacity of the operand memory (256 vectors of 64 B are 16 KiB at 32 lanes).",
                      "MLX (ISCA 2026): 0.044 mm2 register file holds 16-32 KiB at 12 nm", Confidence::mid),
      operand_banks(this, "operand_banks", 4, "banks", {1, 32}, power_of_two,
                    "Banks of the operand memory, each a vector wide.",
                    "DPU (CRAD 2019): eight operand banks; GPU register files have four", Confidence::low),
      operand_ports(this, "operand_ports", 2, "ports per bank", {1, 16},
                    "Ports of a bank of the operand memory; each reads or writes one vector a cycle. 16 ports are "
                    "enough for everything that can come in a cycle.",
                    "assumption: dual-ported SRAM", Confidence::low),
      operand_bank_hash(this, "operand_bank_hash", true, "", {},
                        "A vector's bank is the exclusive-or of all digits of its number to the base of the number of "
                        "banks; otherwise the last digit.",
                        "assumption: power-of-two strides are what butterflies do", Confidence::low),
      accumulators(this, "accumulators", 32, "fp32 vectors", {4, 256}, "fp32 accumulators of the Cal unit.",
                   "assumption", Confidence::low),
      instruction_store(this, "instruction_store", 32, "instructions", {8, 1024},
                        "Instructions that a kernel may have on one PE.",
                        "MLX (ISCA 2026): 32 instructions per PE in the compact design", Confidence::mid),
      contexts(this, "contexts", 8, "instances", {1, 16},
               "Instances of a kernel that the compiler lets be in flight on one PE at a time.",
               "DPU (JCST 2018): 8 blocks in flight", Confidence::mid),
      clock_gating(this, "clock_gating", false, "", {},
                   "The clock of a PE stands still while it has no kernel; takes no time, those cycles count as gated "
                   "and not as idle.",
                   "assumption: not published", Confidence::low),
      cal_latency(this, "cal_latency", 4, "cycles", {1, 64},
                  "Latency of add, multiply and fused multiply-add; one is issued per cycle.",
                  "assumption after MLX's FMA pipelines", Confidence::low),
      max_latency(this, "max_latency", 2, "cycles", {1, 64}, "Latency of the maximum.",
                  "assumption after the DPU line's 2-cycle simple operations", Confidence::low),
      special_latency(
          this, "special_latency", 8, "cycles", {1, 64},
          "Latency of exp, erf, tanh, reciprocal and reciprocal square root for the lanes that the unit serves "
          "in one cycle; those of a vector follow each other, so that its result is there after "
          "special_latency + special_divisor - 1 cycles.",
          "assumption after the DPU line's 5-12 cycles", Confidence::low),
      special_divisor(this, "special_divisor", 4, "", {1, 64}, power_of_two,
                      "The special function unit serves lanes / special_divisor lanes per cycle, one at least.",
                      "MLX (ISCA 2026): exp and division units at 1/4 of the SIMD width", Confidence::mid),
      swapping_fma(
          this, "swapping_fma", true, "", {},
          "The Cal unit has `fmar`, a fused multiply-add whose scalar says which of two vectors it multiplies; "
          "butterflies then take one instruction an output and not two.",
          "assumption: two multiplexers a lane before the multiply-adder, not published", Confidence::low) {}

CalTiming cal_timing(const PeParameters& parameters, u32 lanes) {
  CalTiming timing;
  timing.simple_latency = static_cast<u64>(parameters.cal_latency);
  timing.maximum_latency = static_cast<u64>(parameters.max_latency);
  timing.special_latency = static_cast<u64>(parameters.special_latency);
  timing.special_slots = std::min(static_cast<u64>(parameters.special_divisor), u64{lanes});
  return timing;
}

}  // namespace bvp
