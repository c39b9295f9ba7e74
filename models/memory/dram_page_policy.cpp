// SPDX-License-Identifier: Apache-2.0
#include "models/memory/dram_page_policy.h"

#include "models/base/report.h"

namespace bvp {
namespace {

class OpenPage final : public DramPagePolicy {
 public:
  [[nodiscard]] bool keep_open(u64) const override { return true; }
};

class ClosedPage final : public DramPagePolicy {
 public:
  [[nodiscard]] bool keep_open(u64) const override { return false; }
};

}  // namespace

std::unique_ptr<DramPagePolicy> make_dram_page_policy(const std::string& name) {
  if (name == "open") return std::make_unique<OpenPage>();
  if (name == "closed") return std::make_unique<ClosedPage>();
  report_error("dram", "unknown page policy '{}', expected open or closed", name);
}

}  // namespace bvp
