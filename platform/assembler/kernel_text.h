// SPDX-License-Identifier: Apache-2.0
// From a kernel, or its image, to the text that assembles to it (docs/assembler.md).
#pragma once

#include <string>

#include "models/isa/kernel.h"

namespace bvp {

/// The text of a kernel that passes Kernel::check(): assemble() makes the same kernel of it.
[[nodiscard]] std::string kernel_text(const Kernel& kernel);

}  // namespace bvp
