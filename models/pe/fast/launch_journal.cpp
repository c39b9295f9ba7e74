// SPDX-License-Identifier: Apache-2.0
#include "models/pe/fast/launch_journal.h"

#include <algorithm>

namespace bvp {

void JournalRecorder::begin(const LaunchJournal::Key& key, Cycle arrival, std::vector<LaunchShares::Share> shares,
                            std::size_t segments) {
  arrival_ = arrival;
  LaunchJournal& journal = journal_.emplace();
  journal.key = key;
  journal.shares = std::move(shares);
  for (LaunchShares::Share& share : journal.shares) share.end -= arrival;
  journal.segments.resize(segments);
}

void JournalRecorder::write(const Firing& firing, const Participants& active, u64 waited, const BusyCycles& busy,
                            const StreamBases& instance) {
  if (!journal_) return;
  if (journal_->entries() > most_entries) return close();
  LaunchJournal::Entry& entry = journal_->firings.emplace_back();
  entry.at = firing.now - arrival_;
  entry.segment = firing.segment;
  entry.waited_for = firing.waited_for;
  entry.waited = waited;
  entry.tokens = firing.tokens;
  entry.pes = static_cast<u32>(active.count());
  entry.hops = active.hops;
  entry.busy = busy;
  LaunchJournal::OfSegment& course = journal_->segments[firing.segment];
  for (std::size_t s = 0; s < streams_per_segment; ++s) {
    course.lowest[s] = course.fires ? std::min(course.lowest[s], instance[s]) : instance[s];
    course.highest[s] = course.fires ? std::max(course.highest[s], instance[s]) : instance[s];
  }
  course.fires = true;
}

void JournalRecorder::write(LaunchJournal::Packets packets) {
  if (!journal_) return;
  packets.at -= arrival_;
  journal_->packets.push_back(packets);
}

void JournalRecorder::write(const std::vector<u32>& pes, const std::vector<LaunchShares::Share>& shares) {
  if (!journal_ || shares.empty()) return;
  for (const u32 pe : pes) journal_->shares[pe] = {shares[pe].unfinished, shares[pe].end - arrival_};
}

void JournalRecorder::write(const ArrayAccount::Booked& booked) {
  if (!journal_) return;
  journal_->booked = booked;
  for (std::vector<Cycle>& of_unit : journal_->booked) {
    for (Cycle& until : of_unit) until -= arrival_;
  }
}

LaunchJournal JournalRecorder::end(Cycle now, const TokenGraph::LastServed& last_served,
                                   std::vector<LaunchJournal::Token> late_tokens) {
  LaunchJournal journal = std::move(*journal_);
  close();
  journal.cycles = now - arrival_;
  journal.last_served = last_served;
  journal.late_tokens = std::move(late_tokens);
  for (LaunchJournal::Token& token : journal.late_tokens) token.at -= arrival_;
  journal.firings.shrink_to_fit();
  journal.packets.shrink_to_fit();
  return journal;
}

void LaunchReplay::add_packets(Cycle until, Sums& sums) {
  sums.packets.clear();
  for (; packets_ < journal_->packets.size(); ++packets_) {
    const LaunchJournal::Packets& packets = journal_->packets[packets_];
    const Cycle now = arrival_ + packets.at;
    if (now >= until) break;
    const auto alike = [&](const PacketSum& sum) {
      return sum.packets.mask == packets.mask && sum.packets.vectors == packets.vectors;
    };
    const auto found = std::find_if(sums.packets.begin(), sums.packets.end(), alike);
    if (found == sums.packets.end()) {
      sums.packets.push_back({packets, {now, now + packets.vectors}});
    } else {
      found->packets.packets += packets.packets;
      found->packets.hops += packets.hops;
      found->when.end = now + packets.vectors;
    }
  }
}

}  // namespace bvp
