// SPDX-License-Identifier: Apache-2.0
#include "platform/profile/coverage.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "platform/support/seal.h"

namespace bvp {

u64 Coverage::count(u64 address) const {
  const auto found = counts_.find(address);
  return found == counts_.end() ? 0 : found->second;
}

std::string Coverage::lcov() const {
  struct Source {
    std::map<u32, u64> lines;
    std::map<std::pair<u32, std::string>, u64> functions;  // by line and name
  };
  std::map<u32, Source> sources;
  for (const LineTable::Row& row : table_.rows) {
    u64& line = sources[row.file].lines[row.line];
    line = std::max(line, count(row.address));
  }
  for (const LineTable::Function& function : table_.functions) {
    u64& calls = sources[function.file].functions[{function.line, function.name}];
    calls = std::max(calls, count(function.entry));
  }
  std::string text = fmt::format("# {}\n", seal_blank(Sealed::coverage));
  for (const auto& [file, source] : sources) {
    text += fmt::format("TN:\nSF:{}\n", table_.files[file]);
    std::size_t hit = 0;
    for (const auto& [function, calls] : source.functions) {
      text += fmt::format("FN:{},{}\n", function.first, function.second);
    }
    for (const auto& [function, calls] : source.functions) {
      text += fmt::format("FNDA:{},{}\n", calls, function.second);
      hit += calls > 0 ? 1 : 0;
    }
    text += fmt::format("FNF:{}\nFNH:{}\n", source.functions.size(), hit);
    hit = 0;
    for (const auto& [line, times] : source.lines) {
      text += fmt::format("DA:{},{}\n", line, times);
      hit += times > 0 ? 1 : 0;
    }
    text += fmt::format("LF:{}\nLH:{}\nend_of_record\n", source.lines.size(), hit);
  }
  return sealed(text, Sealed::coverage);
}

}  // namespace bvp
