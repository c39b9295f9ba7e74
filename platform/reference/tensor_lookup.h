// SPDX-License-Identifier: Apache-2.0
// Finds a parameter of a network and checks its size.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>

#include "platform/network/network.h"
#include "platform/network/tensors.h"

namespace bvp {

inline void check_count(const std::string& name, u64 found, u64 elements) {
  if (found == elements) return;
  throw std::invalid_argument(
      fmt::format("tensor {} has {} elements where the network needs {}", name, found, elements));
}

inline void check_elements(const std::string& name, const Tensor& tensor, u64 elements) {
  check_count(name, tensor.data.size(), elements);
}

/// @throws std::invalid_argument  not there, or not of this size
inline const u16* find_tensor(const TensorMap& tensors, const std::string& name, u64 elements) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw std::invalid_argument(fmt::format("tensor {} is missing", name));
  check_elements(name, found->second, elements);
  return found->second.data.data();
}

}  // namespace bvp
