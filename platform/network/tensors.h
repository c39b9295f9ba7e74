// SPDX-License-Identifier: Apache-2.0
// Named fp16 tensors: weights, inputs and outputs of a network.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "models/base/types.h"

namespace bvp {

/// A row-major array of IEEE binary16 values, as bit patterns.
struct Tensor {
  std::vector<u64> shape;
  std::vector<u16> data;

  [[nodiscard]] static u64 elements(const std::vector<u64>& shape) {
    u64 product = 1;
    for (const u64 extent : shape) product *= extent;
    return product;
  }
};

/// Names as in the safetensors files: "layers.0.ffn.up.twiddle", "input", ...
using TensorMap = std::map<std::string, Tensor>;

}  // namespace bvp
