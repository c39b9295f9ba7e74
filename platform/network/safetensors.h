// SPDX-License-Identifier: Apache-2.0
// The safetensors file format: named tensors behind a JSON header.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "platform/network/tensors.h"

namespace bvp {

struct FloatTensors {
  TensorMap tensors;
  std::map<std::string, std::string> others;  ///< tensors that are not of floats and were not read: name -> type
  u64 bfloat16 = 0;                           ///< number of tensors that the file has as BF16
};

/// Reads every tensor of floats; BF16, F32 and F64 are rounded to fp16.
/// @throws InputError  the file cannot be read, is not a safetensors file, or a tensor (named) is not sound
FloatTensors read_safetensors(const std::filesystem::path& file);

/// Reads only the header: tensors with their shapes and without data.
/// @throws InputError  as read_tensors(), but for faults that only the data show
FloatTensors read_safetensors_shapes(const std::filesystem::path& file);

struct IntegerTensor {
  std::vector<u64> shape;
  std::vector<i64> data;
};

/// One tensor of type U8, U16, I32, U32 or I64; others in the file may be of any supported type.
/// @throws InputError  as above, or the tensor is not there or not of integers
IntegerTensor read_integers(const std::filesystem::path& file, const std::string& name);

/// Writes all tensors as F16, ordered by name: the same tensors give the same bytes.
/// @throws std::runtime_error  the file cannot be written
void write_safetensors(const std::filesystem::path& file, const TensorMap& tensors);

/// Writes one tensor of type U32.
/// @throws std::runtime_error  the file cannot be written
void write_integers(const std::filesystem::path& file, const std::string& name, const std::vector<u64>& shape,
                    const std::vector<u32>& values);

}  // namespace bvp
