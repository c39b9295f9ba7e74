// SPDX-License-Identifier: Apache-2.0
// What the activations of a kernel need: constants, and a place for a temporary.
#pragma once

#include <array>
#include <cmath>
#include <optional>
#include <vector>

#include "models/isa/instruction.h"
#include "platform/network/half.h"
#include "platform/network/network.h"

namespace bvp {

/// Three constants of a kernel, which follow each other: the factor of the argument, one half, and what is left over.
inline std::array<u16, 3> activation_constants(const std::optional<Activation>& activation) {
  if (activation == Activation::gelu_tanh) {
    const double linear = 0.7978845608;  // sqrt(2 / pi)
    return {to_half(linear), to_half(0.5), to_half(linear * 0.044715)};
  }
  return {to_half(0.70710678F), to_half(0.5F), to_half(0.0F)};
}

/// Whether an activation computes a second value beside its argument.
inline bool needs_temporary(const std::optional<Activation>& activation) {
  return activation == Activation::gelu || activation == Activation::gelu_tanh;
}

/// The instructions of an activation of x, in place.
/// @param normal     a GELU takes sqrt(1/2) of its argument and leaves sqrt(2) of its result
/// @param t          a temporary, where needs_temporary()
/// @param constants  the first of activation_constants()
inline std::vector<Instruction> activation_code(Activation activation, bool normal, Operand x, Operand t,
                                                Operand constants) {
  const auto constant = [&](u16 number) {
    return Operand{constants.stream, static_cast<u16>(constants.offset + number)};
  };
  const Instruction half{Opcode::muls, x, x, constant(1), {}}, join{Opcode::fma, x, x, t, x};
  switch (activation) {
    case Activation::relu:
      return {{Opcode::maxs, x, x, constant(2), {}}};
    case Activation::tanh:
      return {{Opcode::tanh, x, x, {}, {}}};
    case Activation::gelu_tanh:
      return {{Opcode::mul, t, x, x, {}},
              {Opcode::fmass, t, t, constant(2), constant(0)},
              {Opcode::mul, t, t, x, {}},
              {Opcode::tanh, t, t, {}, {}},
              half,
              join};
    case Activation::gelu:
      break;
  }
  if (normal) return {{Opcode::erf, t, x, {}, {}}, join};
  return {{Opcode::muls, t, x, constant(0), {}}, {Opcode::erf, t, t, {}, {}}, half, join};
}

}  // namespace bvp
