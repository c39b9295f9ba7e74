// SPDX-License-Identifier: Apache-2.0
// Numbers, text and tables for the terminal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/base/types.h"

namespace bvp {

/// What tables fit into where nobody knows how wide the terminal is.
inline constexpr std::size_t default_width = 80;

/// A quantity with three or four digits and an SI prefix.
std::string si(double value, const char* unit);
/// 1234567 -> "1,234,567"
std::string grouped(u64 value);
std::string percent(double fraction);

/// Quantities of one column in one unit, with three decimals each, so that digits line up. The prefix is that of the
/// largest; what would be shown as zero and is not, is "<0.001".
struct AlignedQuantities {
  std::string unit;  ///< with its prefix, "mJ"
  std::vector<std::string> texts;
};
AlignedQuantities aligned(const std::vector<double>& values, const char* unit);

/// Texts of at most `width` bytes (not below 4), the middle of longer ones replaced by "..". Different texts stay
/// different where one place for the gap can do that for all of them. UTF-8 characters are not divided.
std::vector<std::string> cut_in_middle(std::vector<std::string> texts, std::size_t width);

/// Lines of at most `width` bytes, where words allow it; those behind the first are indented.
std::string wrapped(std::string_view text, std::size_t width, std::size_t indent);

/// Rows of text below a heading; the first column is left-aligned, the others right-aligned.
class TextTable {
 public:
  struct Column {
    std::string heading;
    std::string unit = {};     ///< in a line of its own below the headings, if any column has one
    unsigned dispensable = 0;  ///< where there is too little room, the column with the highest number goes; 0 stays
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// @param row  a cell for each column
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  /// At most `width` bytes wide if the columns that stay allow it; dispensable columns go first, then the texts of the
  /// first column are cut.
  [[nodiscard]] std::string text(std::size_t width = default_width) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace bvp
