// SPDX-License-Identifier: Apache-2.0
// Decides whether a DRAM row stays open after an access.
#pragma once

#include <memory>
#include <string>

#include "models/base/types.h"

namespace bvp {

/// Contract: asked once for each access, after it has been scheduled, with the accesses that the row has had
/// since its activate (this one included). The answer must depend on that count and the implementation's own
/// parameters alone, so that a plan of the channel can be repeated.
class DramPagePolicy {
 public:
  virtual ~DramPagePolicy() = default;
  [[nodiscard]] virtual bool keep_open(u64 accesses) const = 0;
};

/// "open" or "closed"; the parameter's choices admit nothing else.
[[nodiscard]] std::unique_ptr<DramPagePolicy> make_dram_page_policy(const std::string& name);

}  // namespace bvp
