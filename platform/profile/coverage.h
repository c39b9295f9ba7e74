// SPDX-License-Identifier: Apache-2.0
// Which lines of a program have run, and how often.
#pragma once

#include <string>
#include <unordered_map>

#include "models/base/types.h"
#include "platform/profile/line_table.h"

namespace bvp {

class Coverage {
 public:
  explicit Coverage(LineTable table) : table_(std::move(table)) {}

  /// To be called before each instruction.
  void step(u64 pc) { ++counts_[pc]; }

  /// In the format of lcov, sealed. A line has run as often as that of its instructions that has run most often.
  [[nodiscard]] std::string lcov() const;

 private:
  [[nodiscard]] u64 count(u64 address) const;

  const LineTable table_;
  std::unordered_map<u64, u64> counts_;  // by address of the instruction
};

}  // namespace bvp
