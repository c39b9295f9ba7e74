// SPDX-License-Identifier: Apache-2.0
// From the text of a kernel to the kernel (docs/assembler.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/isa/kernel.h"
#include "platform/assembler/token.h"

namespace bvp {

/// The bit of a scratchpad address that selects access by column, as a part of a stream's base.
inline constexpr i64 by_column = -(i64{1} << 31);

/// A kernel, and the names that its text gives to numbers which firmware needs.
struct AssembledKernel {
  Kernel kernel;
  struct Name {
    std::string name;
    i64 value;
  };
  std::vector<Name> launch_registers;  ///< and their numbers
  std::vector<Name> constants;
};

struct Assembly {
  AssembledKernel result;  ///< complete if there are no errors
  struct Error {
    TextPlace place;
    std::string message;
  };
  std::vector<Error> errors;  ///< in the order of the text, the first of them
  TextPlace kernel_place;     ///< of the statement `kernel`
};

/// Reads the text and makes every check that PEs make of an image. @param limits  of the machine; lanes 0: those of the
/// kernel
[[nodiscard]] Assembly assemble(std::string_view text, KernelLimits limits);

}  // namespace bvp
