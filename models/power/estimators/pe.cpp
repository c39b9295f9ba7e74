// SPDX-License-Identifier: Apache-2.0
#include "models/power/estimators/estimators.h"

namespace bvp {

Estimator pe_estimator() {
  return {
      "pe",
      {
          {"multiply_lane", "operations", "an fp16 multiplication in one lane"},
          {"add_lane", "operations", "an fp16 addition or maximum in one lane"},
          {"fma_lane", "operations", "an fp16 fused multiply-add in one lane"},
          {"special_lane", "operations", "exp, erf, tanh, reciprocal or reciprocal square root in one lane"},
          {"wide_special_lane", "operations", "an fp32 reciprocal square root or scaling in one lane"},
          {"accumulate_lane", "operations",
           "an addition or multiply-add into an fp32 accumulator, or its subtraction from a value, in one lane"},
          {"shuffle_lane", "moves", "an fp16 value that `tlow` or `thigh` takes to its lane"},
          {"operand_read", "vectors", "a vector (lanes x 16 bits) read from the operand memory, by any unit"},
          {"operand_write", "vectors", "a vector written to the operand memory, by any unit or an arriving transfer"},
          {"scalar_read", "scalars", "an fp16 value read from the operand memory and broadcast"},
          {"instruction", "instructions", "an instruction fetched and issued, by any unit"},
          {"token", "tokens", "a dependency token consumed"},
          {"configure_word", "words", "a 64-bit word of configuration received"},
          {"active_cycle", "cycles", "a cycle of a PE with a kernel"},
          {"idle_cycle", "cycles", "a cycle of a PE without a kernel, clocked"},
          {"gated_cycle", "cycles", "a cycle of a PE without clock: `soc.pe.clock_gating`, or by the power controller"},
          {"retention_cycle", "cycles", "a cycle of a PE in retention"},
      }};
}

}  // namespace bvp
