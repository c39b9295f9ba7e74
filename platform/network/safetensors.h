// SPDX-License-Identifier: Apache-2.0
// The safetensors file format: named tensors behind a JSON header.
#pragma once

#include <filesystem>

#include "platform/network/tensors.h"

namespace bvp {

/// Reads every tensor; F32 and F64 are rounded to fp16.
/// @throws InputError  the file cannot be read, is not a safetensors file, or a tensor (named) is not sound
TensorMap read_safetensors(const std::filesystem::path& file);

/// Writes all tensors as F16, ordered by name: the same tensors give the same bytes.
/// @throws std::runtime_error  the file cannot be written
void write_safetensors(const std::filesystem::path& file, const TensorMap& tensors);

}  // namespace bvp
