// SPDX-License-Identifier: Apache-2.0
#include "models/base/report.h"
#include "models/memory/dram_parameters.h"
#include "models/memory/policies/write_drain.h"

namespace bvp::write_drain {
namespace {

/// When `write_queue_high` writes wait, all but `write_queue_low` are written; when the channel has been idle for
/// `write_idle`, all.
class Watermarks final : public DramWriteDrain {
 public:
  explicit Watermarks(const DramParameters& parameters)
      : high_(static_cast<u32>(parameters.writes.queue_high.get())),
        low_(static_cast<u32>(parameters.writes.queue_low.get())),
        idle_(static_cast<Cycle>(parameters.writes.idle.get())) {
    const i64 entries = parameters.writes.queue_entries;
    if (parameters.writes.queue_high > entries || low_ >= high_) {
      report_error(
          "dram",
          "write_queue_low, write_queue_high and write_queue_entries are {}, {} and {}, expected low < high <= "
          "entries",
          low_, high_, entries);
    }
  }

  [[nodiscard]] u32 batch(u32 waiting) const override { return waiting >= high_ ? waiting - low_ : 0; }
  [[nodiscard]] Cycle idle_clocks() const override { return idle_; }

 private:
  u32 high_, low_;
  Cycle idle_;
};

}  // namespace

std::unique_ptr<DramWriteDrain> watermarks(const DramParameters& parameters) {
  return std::make_unique<Watermarks>(parameters);
}

}  // namespace bvp::write_drain
