// SPDX-License-Identifier: Apache-2.0
#include "platform/support/text_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace bvp {
namespace {

struct Prefix {
  double factor;
  const char* name;
};
constexpr Prefix prefixes[] = {{1e12, "T"}, {1e9, "G"},  {1e6, "M"},  {1e3, "k"},
                               {1, ""},     {1e-3, "m"}, {1e-6, "u"}, {1e-9, "n"}};

bool continues_character(char byte) { return (static_cast<u8>(byte) & 0xc0) == 0x80; }

/// `head` bytes of the text, then "..", then as many bytes of its end as fit.
std::string cut(const std::string& text, std::size_t width, std::size_t head) {
  if (text.size() <= width) return text;
  std::size_t tail = text.size() - (width - 2 - head);
  while (head > 0 && continues_character(text[head])) --head;
  while (tail < text.size() && continues_character(text[tail])) ++tail;
  return text.substr(0, head) + ".." + text.substr(tail);
}

std::size_t number_of_different(const std::vector<std::string>& texts) {
  return std::set<std::string>(texts.begin(), texts.end()).size();
}

}  // namespace

std::string si(double value, const char* unit) {
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

AlignedQuantities aligned(const std::vector<double>& values, const char* unit) {
  double largest = 0;
  for (const double value : values) largest = std::max(largest, std::fabs(value));
  const auto* const prefix = std::find_if(std::begin(prefixes), std::end(prefixes) - 1,
                                          [&](const Prefix& candidate) { return largest >= candidate.factor; });
  const Prefix chosen = largest > 0 ? *prefix : Prefix{1, ""};
  AlignedQuantities result{fmt::format("{}{}", chosen.name, unit), {}};
  for (const double value : values) {
    const double scaled = value / chosen.factor;
    const bool too_small = scaled != 0 && std::fabs(scaled) < 0.0005;
    result.texts.push_back(too_small ? "<0.001" : fmt::format("{:.3f}", scaled));
  }
  return result;
}

std::vector<std::string> cut_in_middle(std::vector<std::string> texts, std::size_t width) {
  width = std::max<std::size_t>(width, 4);
  const std::size_t different = number_of_different(texts);
  const std::size_t kept = width - 2;
  std::vector<std::string> best;
  std::size_t most = 0;
  // Tries the gap in the middle first, then further out.
  for (std::size_t distance = 0; distance <= kept / 2 && most < different; ++distance) {
    for (const std::size_t head : {kept / 2 - distance, std::min(kept, kept / 2 + distance)}) {
      std::vector<std::string> candidate;
      for (const std::string& text : texts) candidate.push_back(cut(text, width, head));
      const std::size_t found = number_of_different(candidate);
      if (found <= most) continue;
      most = found;
      best = std::move(candidate);
    }
  }
  return best;
}

std::string wrapped(std::string_view text, std::size_t width, std::size_t indent) {
  std::string out;
  std::size_t column = 0;
  while (true) {
    const std::size_t gap = std::min(text.find_first_not_of(' '), text.size());
    const std::size_t end = std::min(text.find(' ', gap), text.size());
    if (gap == text.size()) return out;
    const bool fits = column + end <= width || column <= indent;
    if (!fits) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
    }
    const std::string_view word = fits ? text.substr(0, end) : text.substr(gap, end - gap);
    out += word;
    column += word.size();
    text.remove_prefix(end);
  }
}

std::string TextTable::text(std::size_t width) const {
  constexpr std::size_t indent = 2, gap = 2, least_of_first = 8;
  std::vector<std::size_t> shown(columns_.size()), widths(columns_.size());
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    shown[i] = i;
    widths[i] = std::max(columns_[i].heading.size(), columns_[i].unit.size());
    for (const auto& row : rows_) widths[i] = std::max(widths[i], row[i].size());
  }
  const auto others = [&] {
    std::size_t sum = indent;
    for (std::size_t i = 1; i < shown.size(); ++i) sum += gap + widths[shown[i]];
    return sum;
  };
  constexpr std::size_t readable = 24;  // The first column is shortened to this width before another column is dropped.
  while (others() + std::min(widths[0], readable) > width) {
    const auto goes = std::max_element(shown.begin(), shown.end(), [&](std::size_t a, std::size_t b) {
      return columns_[a].dispensable < columns_[b].dispensable;
    });
    if (columns_[*goes].dispensable == 0) break;
    shown.erase(goes);
  }
  std::vector<std::string> names;
  for (const auto& row : rows_) names.push_back(row[0]);
  const std::size_t room = width > others() ? width - others() : 0;
  widths[0] = std::min(widths[0], std::max({room, least_of_first, columns_[0].heading.size()}));
  names = cut_in_middle(std::move(names), widths[0]);

  const bool has_units =
      std::any_of(shown.begin(), shown.end(), [&](std::size_t i) { return !columns_[i].unit.empty(); });
  std::string out;
  const auto line = [&](const auto& cell) {
    std::string text = fmt::format("{:{}}{:<{}}", "", indent, cell(0), widths[0]);
    for (std::size_t i = 1; i < shown.size(); ++i) text += fmt::format("  {:>{}}", cell(shown[i]), widths[shown[i]]);
    out += text.substr(0, text.find_last_not_of(' ') + 1) + '\n';
  };
  line([&](std::size_t i) { return columns_[i].heading; });
  if (has_units) line([&](std::size_t i) { return columns_[i].unit; });
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    line([&](std::size_t i) { return i == 0 ? names[row] : rows_[row][i]; });
  }
  return out;
}

}  // namespace bvp
