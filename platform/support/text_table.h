// SPDX-License-Identifier: Apache-2.0
// Formats numbers, text and tables for the terminal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/base/types.h"

namespace bvp {

/// Width of tables if the width of the terminal is unknown.
inline constexpr std::size_t default_width = 80;

/// A quantity with three or four digits and an SI prefix.
std::string si(double value, const char* unit);
/// 1234567 -> "1,234,567"
std::string grouped(u64 value);
std::string percent(double fraction);

/// Formats the quantities of one column in one unit, with three decimals each, so that digits line up. The prefix is
/// that of the largest quantity; a quantity that would be shown as zero but is not zero becomes "<0.001".
struct AlignedQuantities {
  std::string unit;  ///< with its prefix, "mJ"
  std::vector<std::string> texts;
};
AlignedQuantities aligned(const std::vector<double>& values, const char* unit);

/// Shortens texts to at most `width` bytes (not below 4) by replacing the middle of longer ones with "..". Different
/// texts stay different if one position of the gap achieves that for all of them. UTF-8 characters are not cut.
std::vector<std::string> cut_in_middle(std::vector<std::string> texts, std::size_t width);

/// Breaks text into lines of at most `width` bytes between words; lines after the first are indented.
std::string wrapped(std::string_view text, std::size_t width, std::size_t indent);

/// Rows of text below a heading; the first column is left-aligned, the others right-aligned.
class TextTable {
 public:
  struct Column {
    std::string heading;
    std::string unit = {};  ///< printed in a line of its own below the headings, if any column has one
    /// If the table is too wide, the column with the highest number is dropped first; 0: the column is never dropped.
    unsigned dispensable = 0;
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// @param row  one cell for each column
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  /// The table in at most `width` bytes per line, if the columns that must stay allow it: dispensable columns are
  /// dropped first, then the texts of the first column are shortened.
  [[nodiscard]] std::string text(std::size_t width = default_width) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace bvp
