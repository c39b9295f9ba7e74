// SPDX-License-Identifier: Apache-2.0
// The register banks of the SoC as data, taken from the models that own them.
#pragma once

#include <string>
#include <vector>

#include "models/base/types.h"

namespace bvp {

struct FieldView {
  std::string name;
  unsigned lsb;
  unsigned width;
  std::string description;
};

struct RegisterView {
  std::string name;
  u64 offset;
  u32 elements;  // 1: a single register; consecutive ones otherwise
  u32 reset;
  std::string access;  // "rw", "r", "w", "w1c"
  std::string description;
  std::vector<FieldView> fields;
};

struct RegisterBankView {
  std::string name;  // the block's
  u64 base;
  std::string description;
  u32 register_bytes;
  std::vector<RegisterView> registers;
};

/// Makes an SoC with default parameters, in a simulation context of its own, and reads the declarations of its blocks.
[[nodiscard]] std::vector<RegisterBankView> register_banks();

}  // namespace bvp
