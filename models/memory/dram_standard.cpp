// SPDX-License-Identifier: Apache-2.0
#include "models/memory/dram_standard.h"

#include <algorithm>

#include "models/base/report.h"
#include "models/memory/dram_parameters.h"

namespace bvp {

namespace standards {
#define BVP_ENTRY(name) DramStandard name();
#include "models_memory_standards.list"
#undef BVP_ENTRY
}  // namespace standards

const std::vector<DramStandard>& dram_standards() {
  static const std::vector<DramStandard> all = [] {
    std::vector<DramStandard> list;
#define BVP_ENTRY(entry)              \
  list.push_back(standards::entry()); \
  list.back().name = #entry;
#include "models_memory_standards.list"
#undef BVP_ENTRY
    const auto first = std::find_if(list.begin(), list.end(), [](const auto& s) { return s.values.empty(); });
    std::rotate(list.begin(), first, first + 1);
    return list;
  }();
  return all;
}

std::vector<std::string> dram_standard_names() {
  std::vector<std::string> names;
  for (const DramStandard& standard : dram_standards()) names.push_back(standard.name);
  return names;
}

const DramStandard& dram_standard(const std::string& name) {
  for (const DramStandard& standard : dram_standards()) {
    if (standard.name == name) return standard;
  }
  report_error("dram", "unknown memory standard '{}', expected one of: {}", name,
               fmt::join(dram_standard_names(), ", "));
}

void apply_dram_standard(DramParameters& parameters) {
  for (const DramStandard::Value& value : dram_standard(parameters.standard).values) {
    parameters.find_parameter(value.parameter)->assign(value.value);
  }
}

}  // namespace bvp
