// SPDX-License-Identifier: Apache-2.0
// Which line of which source a program's instructions come from, by its DWARF debug information.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/base/types.h"

namespace bvp {

struct LineTable {
  /// An instruction with which a line begins.
  struct Row {
    u64 address;
    u32 file;
    u32 line;
  };
  struct Function {
    std::string name;
    u64 entry;
    u32 file;
    u32 line;
  };
  std::vector<std::string> files;
  std::vector<Row> rows;  ///< of code that is in memory
  std::vector<Function> functions;
};

/// Sources that are not there are left out. @throws InputError  the file has no lines of sources that are there
[[nodiscard]] LineTable read_line_table(const std::filesystem::path& file);

}  // namespace bvp
