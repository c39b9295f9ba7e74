// SPDX-License-Identifier: Apache-2.0
#include "platform/report/text_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace bvp {
namespace {

constexpr std::size_t table_width = 100;

std::string cut(const std::string& text, std::size_t width) {
  return text.size() <= width ? text : text.substr(0, width - 2) + "..";
}

}  // namespace

std::string si(double value, const char* unit) {
  struct Prefix {
    double factor;
    const char* name;
  };
  static constexpr Prefix prefixes[] = {{1e12, "T"}, {1e9, "G"},  {1e6, "M"},  {1e3, "k"},
                                        {1, ""},     {1e-3, "m"}, {1e-6, "u"}, {1e-9, "n"}};
  const double magnitude = std::fabs(value);
  for (const Prefix& prefix : prefixes) {
    if (magnitude >= prefix.factor) return fmt::format("{:.4g} {}{}", value / prefix.factor, prefix.name, unit);
  }
  return fmt::format("{:.4g} {}", value, unit);
}

std::string grouped(u64 value) {
  std::string digits = std::to_string(value);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string percent(double fraction) { return fmt::format("{:.1f} %", 100 * fraction); }

std::string TextTable::text() const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::size_t others = 2;
  for (std::size_t i = 1; i < widths.size(); ++i) others += widths[i] + 2;
  constexpr std::size_t least = 8;
  widths[0] = std::min(widths[0], others + least < table_width ? table_width - others : least);
  std::string out;
  for (const auto& row : rows_) {
    out += fmt::format("  {:<{}}", cut(row[0], widths[0]), widths[0]);
    for (std::size_t i = 1; i < row.size(); ++i) out += fmt::format("  {:>{}}", row[i], widths[i]);
    out += '\n';
  }
  return out;
}

}  // namespace bvp
