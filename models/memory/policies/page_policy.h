// SPDX-License-Identifier: Apache-2.0
// Decides whether a DRAM row stays open after an access. Each implementation is a file in page/, found by the name of
// the file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/base/types.h"

namespace bvp {

struct DramParameters;

/// Contract: the channel asks once for each access, after it has scheduled it, and passes the number of accesses to the
/// row since its activate (this access included). The answer must depend on that number and on the implementation's own
/// parameters alone, so that planning an access again gives the same plan.
class DramPagePolicy {
 public:
  virtual ~DramPagePolicy() = default;
  [[nodiscard]] virtual bool keep_open(u64 accesses) const = 0;
};

/// The parameter `page_policy` names it; its choices are dram_page_policy_names().
[[nodiscard]] std::unique_ptr<DramPagePolicy> make_dram_page_policy(const DramParameters& parameters);
[[nodiscard]] std::vector<std::string> dram_page_policy_names();

}  // namespace bvp
