// SPDX-License-Identifier: Apache-2.0
#include "models/pe/fast/participants.h"

namespace bvp {

namespace {

/// Whether all PEs of the kernel take part in the firing and it is the last one of the launch on none of them. False
/// may be wrong, true is not.
bool all_go_on(const Context& context, const Firing& firing, const LaunchRecord& record) {
  const unsigned scope = context.program.segments[firing.segment].scope;
  bool go_on = false;
  for (std::size_t level = 0; level < instance_levels; ++level) {
    const u64 iteration = level < scope ? firing.iteration[level] : 0;
    const u64 step = context.program.step[level], latest = context.pes.latest[level] + iteration * step;
    if (latest >= record.counts[level]) return false;
    go_on = go_on || (level < scope && latest + step < record.counts[level]);
  }
  return go_on;
}

}  // namespace

const Participants& ParticipantFinder::find(const Context& context, const Firing& firing, const LaunchRecord& record) {
  const bool all = context.pes.uniform || all_go_on(context, firing, record);
  if (all && all_of_ == &context) return found_;
  all_of_ = all ? &context : nullptr;
  const unsigned scope = context.program.segments[firing.segment].scope;
  found_.pes.clear();
  found_.ending.clear();
  found_.hops = 0;
  for (u32 pe = 0; pe < context.pes.count(); ++pe) {
    const FirstIteration& start = context.pes.first[pe];
    bool takes_part = true, last = true;
    for (std::size_t level = 0; level < instance_levels && scope > 0; ++level) {
      // A PE without any iteration of a level has nothing to do in the launch.
      const u64 iteration = level < scope ? firing.iteration[level] : 0;
      const u64 step = context.program.step[level], at = start[level] + iteration * step;
      takes_part = takes_part && at < record.counts[level];
      last = last && (level >= scope || at + step >= record.counts[level]);
    }
    if (!takes_part) continue;
    found_.pes.push_back(pe);
    if (last && !all) found_.ending.push_back(pe);
    found_.hops += context.pes.places[pe] % columns_;
  }
  return found_;
}

}  // namespace bvp
