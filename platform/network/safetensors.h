// SPDX-License-Identifier: Apache-2.0
// The safetensors file format: named tensors behind a JSON header.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
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

/// Values as they are, not rounded to fp16.
struct FloatTensor {
  std::vector<u64> shape;
  std::vector<float> data;
};

/// A file of which single tensors are read.
class SafetensorsReader {
 public:
  /// Reads the header. @throws InputError  as read_safetensors_shapes()
  explicit SafetensorsReader(const std::filesystem::path& file);
  SafetensorsReader(const SafetensorsReader&) = delete;
  SafetensorsReader& operator=(const SafetensorsReader&) = delete;
  ~SafetensorsReader();

  struct Header {
    std::string type;
    std::vector<u64> shape;
  };
  [[nodiscard]] std::map<std::string, Header> headers() const;
  /// A tensor of F16, BF16, F32 or F64, which is rounded to fp32.
  /// @throws InputError  it is not of these types, or a value is not finite
  [[nodiscard]] FloatTensor read(const std::string& name);

 private:
  class Contents;
  std::unique_ptr<Contents> contents_;
};

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

struct NamedIntegers {
  std::string name;
  std::vector<u64> shape;
  std::vector<u32> values;
};

/// Writes tensors of type U32, which must be in the order of their names.
/// @throws std::runtime_error  the file cannot be written
void write_integers(const std::filesystem::path& file, const std::vector<NamedIntegers>& tensors);

}  // namespace bvp
