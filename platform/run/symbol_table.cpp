// SPDX-License-Identifier: Apache-2.0
#include "platform/run/symbol_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace bvp {

SymbolTable::SymbolTable(std::vector<Symbol> symbols) : symbols_(std::move(symbols)) {
  // Of several names for one address, the last one is shown: that of a function, whose size is known.
  std::stable_sort(symbols_.begin(), symbols_.end(), [](const Symbol& a, const Symbol& b) {
    return std::pair(a.address, a.bytes) < std::pair(b.address, b.bytes);
  });
}

std::optional<u64> SymbolTable::find(const std::string& name) const {
  const auto found =
      std::find_if(symbols_.begin(), symbols_.end(), [&](const Symbol& symbol) { return symbol.name == name; });
  return found == symbols_.end() ? std::nullopt : std::optional(found->address);
}

std::string SymbolTable::describe(u64 address) const {
  auto after = std::upper_bound(symbols_.begin(), symbols_.end(), address,
                                [](u64 value, const Symbol& symbol) { return value < symbol.address; });
  // A label within a function has no size: the function around it is the better name.
  const Symbol* label = nullptr;
  constexpr unsigned most_labels = 1000;
  for (unsigned i = 0; after != symbols_.begin() && i < most_labels; ++i) {
    const Symbol& symbol = *--after;
    if (address >= symbol.code_end) continue;
    if (symbol.bytes == 0 && label == nullptr) label = &symbol;
    if (symbol.bytes == 0) continue;
    if (address - symbol.address < symbol.bytes) {
      return fmt::format("{}+{:#x}", symbol.name, address - symbol.address);
    }
    break;
  }
  return label == nullptr ? std::string{} : fmt::format("{}+{:#x}", label->name, address - label->address);
}

std::string SymbolTable::place(u64 address) const {
  const std::string name = describe(address);
  return name.empty() ? fmt::format("{:#x}", address) : fmt::format("{:#x} ({})", address, name);
}

std::string SymbolTable::with_names(const std::string& text) const {
  static const std::string mark = "pc 0x";
  std::string named;
  std::size_t done = 0;
  for (std::size_t at = 0; (at = text.find(mark, done)) != std::string::npos;) {
    const std::size_t end = text.find_first_not_of("0123456789abcdef", at + mark.size());
    const std::size_t length = end == std::string::npos ? end : end - done;
    named += text.substr(done, length);
    const std::string name = describe(std::strtoull(text.c_str() + at + 3, nullptr, 16));
    if (!name.empty()) named += " (" + name + ")";
    if (end == std::string::npos) return named;
    done = end;
  }
  return named + text.substr(done);
}

}  // namespace bvp
