// SPDX-License-Identifier: Apache-2.0
// What a network's run finds in the DRAM when it begins.
#pragma once

#include <vector>

#include "platform/run/loader.h"

namespace bvp {

/// The inputs of the network in the places that the compiler has given them. @param data  false: those alone on which
/// time depends
[[nodiscard]] std::vector<MemoryBlob> input_memory(const RunInputs& inputs, bool data);

}  // namespace bvp
