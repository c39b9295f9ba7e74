// SPDX-License-Identifier: Apache-2.0
#include "models/memory/policies/page_policy.h"

namespace bvp::page {
namespace {

/// A row stays open until another row of its bank is wanted, or a refresh closes it.
class OpenPage final : public DramPagePolicy {
 public:
  [[nodiscard]] bool keep_open(u64) const override { return true; }
};

}  // namespace

std::unique_ptr<DramPagePolicy> open(const DramParameters&) { return std::make_unique<OpenPage>(); }

}  // namespace bvp::page
