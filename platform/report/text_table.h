// SPDX-License-Identifier: Apache-2.0
// Numbers and tables for the terminal.
#pragma once

#include <string>
#include <vector>

#include "models/common/types.h"

namespace bvp {

/// A quantity with three or four digits and an SI prefix.
std::string si(double value, const char* unit);
/// 1234567 -> "1,234,567"
std::string grouped(u64 value);
std::string percent(double fraction);

/// Rows of text, at most 100 columns wide, the first of them the heading; the first column is left-aligned, the others
/// right-aligned.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> heading) { add(std::move(heading)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace bvp
