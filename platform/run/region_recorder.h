// SPDX-License-Identifier: Apache-2.0
// Records what happened in the regions of interest that firmware marks (REGION_BEGIN and REGION_END of the simulation
// control).
#pragma once

#include <map>
#include <vector>

#include "models/power/action_counts.h"
#include "platform/soc/soc.h"

namespace bvp {

class RegionRecorder {
 public:
  /// The number of regions that are recorded, in the order of their first begin; firmware may use any number from 0 to
  /// 2^32 - 1 as the name of a region.
  static constexpr std::size_t max_regions = 1024;

  explicit RegionRecorder(Soc& soc);

  /// The begin of a region that is open and the end of one that is not are ignored.
  void mark(bool begin, u32 region);
  /// Ends all regions that are open.
  void finish();

  struct Totals {
    u64 times = 0;       // it has begun
    bool ended = false;  // firmware has ended it as often
    u64 cycles = 0, cpu_instructions = 0, operations = 0, dram_bytes = 0;
    std::vector<u64> actions;  // see counts()
  };
  /// How often a region began that is not recorded.
  [[nodiscard]] u64 dropped() const { return dropped_; }
  /// By the number of the region.
  [[nodiscard]] const std::map<u32, Totals>& regions() const { return regions_; }
  /// The actions by name.
  [[nodiscard]] ActionCounts counts(const Totals& totals) const;

 private:
  struct Sample {
    u64 cycle = 0, instructions = 0, operations = 0, dram_bytes = 0;
    std::vector<u64> actions;
  };
  [[nodiscard]] Sample sample();
  void close(u32 region, const Sample& begin, const Sample& end);

  Soc& soc_;
  ActionSampler sampler_;
  std::map<u32, Sample> open_;
  std::map<u32, Totals> regions_;
  u64 dropped_ = 0;
};

}  // namespace bvp
