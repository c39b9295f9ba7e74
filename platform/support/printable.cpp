// SPDX-License-Identifier: Apache-2.0
#include "platform/support/printable.h"

#include <array>

#include "models/base/types.h"

namespace bvp {

namespace {

struct Character {
  std::size_t size = 0;  ///< bytes
  bool shown = false;
};

/// The first character of `text`. A byte that is not UTF-8 becomes a character that is not shown.
Character first_of(std::string_view text) {
  // Smallest code point by length of the sequence: longer forms are not UTF-8.
  static constexpr std::array<u32, 5> least_code{0, 0, 0x80, 0x800, 0x10000};
  constexpr Character byte{1, false};
  const auto first = static_cast<u8>(text.front());
  const std::size_t size = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (size == 0 || first > 0xf4 || size > text.size()) return byte;
  u32 code = size == 1 ? first : first & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    const auto next = static_cast<u8>(text[i]);
    if ((next & 0xc0) != 0x80) return byte;
    code = code << 6 | (next & 0x3fU);
  }
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  if (code < least_code[size] || code > 0x10ffff || surrogate) return byte;
  const bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
  return {size, !control};
}

}  // namespace

std::string printable(std::string_view text, std::size_t longest) {
  std::string out;
  while (!text.empty()) {
    const Character next = first_of(text);
    const std::string_view shown = next.shown ? text.substr(0, next.size) : "?";
    if (out.size() + shown.size() > longest) return out + "...";
    out += shown;
    text.remove_prefix(next.size);
  }
  return out;
}

std::string last_line_of(std::string_view text) {
  const std::size_t end = text.find_last_not_of(" \n");
  if (end == std::string_view::npos) return {};
  const std::size_t before = text.rfind('\n', end);
  const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
  constexpr std::size_t longest = 200;
  return printable(text.substr(begin, end + 1 - begin), longest);
}

}  // namespace bvp
