// SPDX-License-Identifier: Apache-2.0
// What the activations of a kernel need: constants, and a place for a temporary.
#pragma once

#include <array>
#include <cmath>
#include <optional>

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

}  // namespace bvp
