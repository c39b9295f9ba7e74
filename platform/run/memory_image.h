// SPDX-License-Identifier: Apache-2.0
// What a network's run finds in the DRAM when it begins.
#pragma once

#include <vector>

#include "platform/run/loader.h"

namespace bvp {

/// The inputs of the network in the places that the compiler has given them. @param data  false: those alone on which
/// time depends
[[nodiscard]] std::vector<MemoryBlob> input_memory(const RunInputs& inputs, bool data);

[[nodiscard]] MemoryBlob blob_of(u64 address, const void* data, std::size_t bytes);
/// Adds the rows of a tensor, as they lie in the memory.
void add_matrix(std::vector<MemoryBlob>& blobs, const MatrixPlace& place, const Tensor& tensor);

}  // namespace bvp
