// SPDX-License-Identifier: Apache-2.0
#include "platform/run/memory_image.h"

namespace bvp {

MemoryBlob blob_of(u64 address, const void* data, std::size_t bytes) {
  const u8* begin = static_cast<const u8*>(data);
  return {address, {begin, begin + bytes}};
}

void add_matrix(std::vector<MemoryBlob>& blobs, const MatrixPlace& place, const Tensor& tensor) {
  const u64 row_bytes = place.columns * sizeof(u16);
  if (place.pitch == row_bytes) {
    blobs.push_back(blob_of(place.address, tensor.data.data(), place.rows * row_bytes));
    return;
  }
  for (u64 row = 0; row < place.rows; ++row) {
    blobs.push_back(blob_of(place.address + row * place.pitch, tensor.data.data() + row * place.columns, row_bytes));
  }
}

std::vector<MemoryBlob> input_memory(const RunInputs& inputs, bool data) {
  const CompiledNetwork& compiled = inputs.compiled;
  std::vector<MemoryBlob> blobs;
  // The samples of a dataset are among the contents of the compiled network.
  if (inputs.dataset) return blobs;
  if (!inputs.tokens.empty()) {
    blobs.push_back(blob_of(compiled.tokens.address, inputs.tokens.data(), inputs.tokens.size() * sizeof(u32)));
  } else if (data) {
    add_matrix(blobs, compiled.patches.rows > 0 ? compiled.patches : compiled.input, inputs.input);
  }
  if (data && compiled.mask.rows > 0) add_matrix(blobs, compiled.mask, inputs.mask);
  return blobs;
}

}  // namespace bvp
