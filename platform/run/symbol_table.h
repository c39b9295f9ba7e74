// SPDX-License-Identifier: Apache-2.0
// The names of a program's functions, for messages.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/base/types.h"

namespace bvp {

class SymbolTable {
 public:
  struct Symbol {
    u64 address = 0;
    u64 bytes = 0;     ///< 0: unknown
    u64 code_end = 0;  ///< end of the section with code that it lies in; 0: it is no code
    std::string name;
  };

  SymbolTable() = default;
  explicit SymbolTable(std::vector<Symbol> symbols);

  [[nodiscard]] bool empty() const { return symbols_.empty(); }
  /// The address of a symbol of any kind.
  [[nodiscard]] std::optional<u64> find(const std::string& name) const;
  /// "bvp_submit+0x1c"; empty if no function is known to be there.
  [[nodiscard]] std::string describe(u64 address) const;
  /// "0x80001234 (bvp_submit+0x1c)", or the number alone.
  [[nodiscard]] std::string place(u64 address) const;
  /// The text with the function's name behind each "pc 0x...".
  [[nodiscard]] std::string with_names(const std::string& text) const;

 private:
  std::vector<Symbol> symbols_;  // by address
};

}  // namespace bvp
