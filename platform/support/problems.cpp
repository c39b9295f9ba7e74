// SPDX-License-Identifier: Apache-2.0
#include "platform/support/problems.h"

#include "platform/support/printable.h"

namespace bvp {

std::string problem_text(const std::string& where, const std::string& key, const std::string& what) {
  const bool said = where.compare(0, key.size() + 7, "--set " + key + "=") == 0;
  return key.empty() || said ? fmt::format("{}: {}", where, what)
                             : fmt::format("{}: {}: {}", where, printable(key), what);
}

}  // namespace bvp
