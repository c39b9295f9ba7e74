// SPDX-License-Identifier: Apache-2.0
#include "models/pe/fast/learned_costs.h"

#include <algorithm>
#include <cmath>

namespace bvp {

FiringTime MeanTime::mean() const {
  if (samples_ == 0) return {};
  return {static_cast<Cycle>(std::lround(issue_ / samples_)), static_cast<Cycle>(std::lround(latency_ / samples_))};
}

bool LearnedCosts::learns(u32 segment) const {
  const SegmentCosts& costs = segments_[segment];
  if (costs.slowest.samples() == 0) return true;
  return costs.slowest.samples() < learning_firings && launches_ < costs.first_launch + learning_launches;
}

void LearnedCosts::begin_learning(u32 segment) {
  SegmentCosts& costs = segments_[segment];
  if (costs.slowest.samples() == 0) costs.first_launch = launches_;
}

void LearnedCosts::add(u32 segment, const TransferSample& sample) {
  SegmentCosts& costs = segments_[segment];
  costs.slowest.add(sample.slowest);
  costs.least_hindered.add(sample.least_hindered);
  if (sample.unloaded <= costs.unloaded) return;
  costs.farthest = sample.farthest;
  costs.unloaded = sample.unloaded;
  costs.limits = sample.limits;
}

void LearnedCosts::add(const Firing& firing, const BankWait& wait) {
  SegmentCosts& costs = segments_[firing.segment];
  if (in_step(firing)) costs.turn.add({0, wait.turn});
  if (firing.last_of_launch) costs.drain.add({0, wait.drain});
}

FiringTime LearnedCosts::unhindered(const Firing& firing, Cycle alone) const {
  const SegmentCosts& costs = segments_[firing.segment];
  if (in_step(firing)) return costs.slowest.mean();
  const FiringTime longer = costs.least_hindered.mean();
  return {longer.issue + alone, longer.latency + alone - 1 + costs.unloaded};
}

FiringTime LearnedCosts::with_waits(const Firing& firing, Cycle alone, const BankWait& wait) const {
  FiringTime time = unhindered(firing, alone);
  if (in_step(firing)) {
    time.issue += wait.turn;
    time.latency += wait.turn;
  }
  if (firing.last_of_launch) time.latency = std::max(time.latency, wait.drain);
  return time;
}

}  // namespace bvp
