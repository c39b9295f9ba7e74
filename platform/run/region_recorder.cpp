// SPDX-License-Identifier: Apache-2.0
#include "platform/run/region_recorder.h"

#include "models/base/report.h"
#include "platform/power/soc_estimators.h"

namespace bvp {

RegionRecorder::RegionRecorder(Soc& soc) : soc_(soc), sampler_(attach_estimators(soc)) {}

RegionRecorder::Sample RegionRecorder::sample() {
  soc_.settle_statistics();
  Sample sample;
  sample.cycle = soc_.clock().now();
  sample.instructions = soc_.cpu.instructions();
  for (const PeStatus* pe : soc_.cores) sample.operations += pe->statistics().counter("operations").value();
  const DramStatistics& dram = soc_.dram.statistics();
  sample.dram_bytes = dram.bytes_read.value() + dram.bytes_written.value();
  sample.actions = sampler_.sample();
  return sample;
}

void RegionRecorder::mark(bool begin, u32 region) {
  if (begin) {
    if (open_.count(region) != 0) return;
    if (regions_.size() == max_regions && regions_.count(region) == 0) {
      if (dropped_++ == 0) {
        report_warning("regions",
                       "firmware marks more than {} regions of interest; region {} and further ones are not "
                       "recorded",
                       max_regions, region);
      }
      return;
    }
    Totals& totals = regions_[region];
    ++totals.times;
    totals.ended = false;
    open_[region] = sample();
    return;
  }
  const auto found = open_.find(region);
  if (found == open_.end()) return;
  close(region, found->second, sample());
  regions_[region].ended = true;
  open_.erase(found);
}

void RegionRecorder::finish() {
  if (open_.empty()) return;
  const Sample now = sample();
  for (const auto& [region, begin] : open_) close(region, begin, now);
  open_.clear();
}

void RegionRecorder::close(u32 region, const Sample& begin, const Sample& end) {
  Totals& totals = regions_[region];
  totals.cycles += end.cycle - begin.cycle;
  totals.cpu_instructions += end.instructions - begin.instructions;
  totals.operations += end.operations - begin.operations;
  totals.dram_bytes += end.dram_bytes - begin.dram_bytes;
  totals.actions.resize(end.actions.size(), 0);
  for (std::size_t i = 0; i < end.actions.size(); ++i) totals.actions[i] += end.actions[i] - begin.actions[i];
}

ActionCounts RegionRecorder::counts(const Totals& totals) const {
  return sampler_.between(std::vector<u64>(totals.actions.size(), 0), totals.actions);
}

}  // namespace bvp
