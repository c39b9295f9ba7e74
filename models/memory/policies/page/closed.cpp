// SPDX-License-Identifier: Apache-2.0
#include "models/memory/policies/page_policy.h"

namespace bvp::page {
namespace {

/// Every access closes its row.
class ClosedPage final : public DramPagePolicy {
 public:
  [[nodiscard]] bool keep_open(u64) const override { return false; }
};

}  // namespace

std::unique_ptr<DramPagePolicy> closed(const DramParameters&) { return std::make_unique<ClosedPage>(); }

}  // namespace bvp::page
