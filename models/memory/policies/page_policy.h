// SPDX-License-Identifier: Apache-2.0
// Decides whether a DRAM row stays open after an access. An implementation a file in page/, found by its file's name.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/base/types.h"

namespace bvp {

struct DramParameters;

/// Contract: asked once for each access, after it has been scheduled, with the accesses that the row has had
/// since its activate (this one included). The answer must depend on that count and the implementation's own
/// parameters alone, so that a plan of the channel can be repeated.
class DramPagePolicy {
 public:
  virtual ~DramPagePolicy() = default;
  [[nodiscard]] virtual bool keep_open(u64 accesses) const = 0;
};

/// The parameter `page_policy` names it; its choices are dram_page_policy_names().
[[nodiscard]] std::unique_ptr<DramPagePolicy> make_dram_page_policy(const DramParameters& parameters);
[[nodiscard]] std::vector<std::string> dram_page_policy_names();

}  // namespace bvp
