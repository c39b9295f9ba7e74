// SPDX-License-Identifier: Apache-2.0
// Finds policies by name. The lists are made from the files of each folder (CMakeLists.txt).
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "models/base/report.h"
#include "models/memory/dram_parameters.h"

namespace bvp {

#define BVP_ENTRY(name) std::unique_ptr<DramPagePolicy> name(const DramParameters&);
namespace page {
#include "models_memory_policies_page.list"
}
#undef BVP_ENTRY
#define BVP_ENTRY(name) std::unique_ptr<DramAddressMap> name(const DramParameters&);
namespace address_map {
#include "models_memory_policies_address_map.list"
}
#undef BVP_ENTRY
#define BVP_ENTRY(name) std::unique_ptr<DramRefreshPolicy> name(const DramParameters&);
namespace refresh {
#include "models_memory_policies_refresh.list"
}
#undef BVP_ENTRY
#define BVP_ENTRY(name) std::unique_ptr<DramWriteDrain> name(const DramParameters&);
namespace write_drain {
#include "models_memory_policies_write_drain.list"
}
#undef BVP_ENTRY

namespace {

template <class Policy>
using Makers = std::vector<std::pair<std::string, std::unique_ptr<Policy> (*)(const DramParameters&)>>;

Makers<DramPagePolicy> page_policies() {
  using namespace page;
#define BVP_ENTRY(name) {#name, name},
  return {
#include "models_memory_policies_page.list"
  };
}
Makers<DramAddressMap> address_maps() {
  using namespace address_map;
  return {
#include "models_memory_policies_address_map.list"
  };
}
Makers<DramRefreshPolicy> refresh_policies() {
  using namespace refresh;
  return {
#include "models_memory_policies_refresh.list"
  };
}
Makers<DramWriteDrain> write_drains() {
  using namespace write_drain;
  return {
#include "models_memory_policies_write_drain.list"
  };
#undef BVP_ENTRY
}

/// @param first  the default; it comes first in the list of words
template <class Policy>
std::vector<std::string> names_of(const Makers<Policy>& makers, const char* first) {
  std::vector<std::string> names;
  for (const auto& maker : makers) names.push_back(maker.first);
  std::stable_partition(names.begin(), names.end(), [&](const std::string& name) { return name == first; });
  return names;
}

template <class Policy>
std::unique_ptr<Policy> make(const Makers<Policy>& makers, const Param<std::string>& name,
                             const DramParameters& parameters) {
  for (const auto& [known, maker] : makers) {
    if (known == name.get()) return maker(parameters);
  }
  report_error(parameters.name().c_str(), "{} is '{}', expected one of: {}", name.name(), name.get(),
               fmt::join(name.choices(), ", "));
}

}  // namespace

std::vector<std::string> dram_page_policy_names() { return names_of(page_policies(), "open"); }
std::vector<std::string> dram_address_map_names() { return names_of(address_maps(), "row_bank_column_group"); }
std::vector<std::string> dram_refresh_policy_names() { return names_of(refresh_policies(), "all_bank"); }
std::vector<std::string> dram_write_drain_names() { return names_of(write_drains(), "watermarks"); }

std::unique_ptr<DramPagePolicy> make_dram_page_policy(const DramParameters& parameters) {
  return make(page_policies(), parameters.page_policy, parameters);
}
std::unique_ptr<DramAddressMap> make_dram_address_map(const DramParameters& parameters) {
  return make(address_maps(), parameters.address_map, parameters);
}
std::unique_ptr<DramRefreshPolicy> make_dram_refresh_policy(const DramParameters& parameters) {
  return make(refresh_policies(), parameters.refresh.policy, parameters);
}
std::unique_ptr<DramWriteDrain> make_dram_write_drain(const DramParameters& parameters) {
  return make(write_drains(), parameters.writes.drain, parameters);
}

}  // namespace bvp
