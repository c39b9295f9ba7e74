// SPDX-License-Identifier: Apache-2.0
#include "models/pe/fast/launch_shares.h"

#include <algorithm>

namespace bvp {

namespace {

std::vector<LaunchShares::Share> whole(const Context& context, const TokenGraph::Launch& launch) {
  std::vector<LaunchShares::Share> shares;
  if (context.pes.uniform) return shares;
  const auto& segments = context.program.segments;
  for (const FirstIteration& first : context.pes.first) {
    bool empty = false;
    for (std::size_t level = 0; level < instance_levels; ++level) {
      empty = empty || first[level] >= launch.record.counts[level];
    }
    const auto fires = [&](const SegmentProgram& segment) { return segment.scope == 0 ? !launch.resident : !empty; };
    shares.push_back({static_cast<u32>(std::count_if(segments.begin(), segments.end(), fires)), launch.arrival});
  }
  return shares;
}

}  // namespace

void LaunchShares::add(const Context& context, const TokenGraph::Launch& launch) {
  launches_.push_back({launch.arrival, whole(context, launch)});
}

void LaunchShares::restart(const Context& context, const TokenGraph::Launch& launch) {
  launches_.front() = {launch.arrival, whole(context, launch)};
}

void LaunchShares::end_segment(u64 number, const std::vector<u32>& pes, Cycle end) {
  std::vector<Share>& shares = launch(number).of_pe;
  if (shares.empty()) return;
  for (const u32 pe : pes) {
    --shares[pe].unfinished;
    shares[pe].end = std::max(shares[pe].end, end);
  }
}

u64 LaunchShares::take_active(const Context& context, Cycle from, Cycle now) {
  if (context.pes.uniform) return (now - from) * context.pes.count();
  active_until_.resize(std::max(active_until_.size(), context.pes.count()), 0);
  u64 cycles = 0;
  for (const SharedLaunch& launch : launches_) {
    for (std::size_t pe = 0; pe < launch.of_pe.size(); ++pe) {
      const Cycle begin = std::max({from, launch.arrival, active_until_[pe]});
      const Cycle end = launch.end(pe, now);
      if (end <= begin) continue;
      cycles += end - begin;
      active_until_[pe] = end;
    }
  }
  return cycles;
}

}  // namespace bvp
