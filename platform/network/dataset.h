// SPDX-License-Identifier: Apache-2.0
// A set of samples with their classes, which a network goes through batch by batch.
#pragma once

#include <filesystem>
#include <vector>

#include "platform/network/network.h"
#include "platform/network/tensors.h"

namespace bvp {

/// Samples in their order. As of a single batch (RunInputs), either `tokens` or `input` is there, and perhaps `mask`.
struct Dataset {
  std::vector<u32> labels;  ///< each below network.classes
  std::vector<u32> tokens;  ///< [samples, tokens]
  Tensor input, mask;       ///< [samples, ...]

  [[nodiscard]] u64 samples() const { return labels.size(); }
};

/// Reads the first `samples` samples of a file; 0: all.
/// @throws InputError  a tensor is missing or wrong, or the samples are no whole number of batches
[[nodiscard]] Dataset load_dataset(const std::filesystem::path& file, const Network& network, u64 samples);

/// The values of rows [first, first + count) of a tensor, along its first dimension.
[[nodiscard]] Tensor rows_of(const Tensor& tensor, u64 first, u64 count);

}  // namespace bvp
