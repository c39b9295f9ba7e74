// SPDX-License-Identifier: Apache-2.0
// Launches of the loosely timed array whose course is known. Once the costs of a kernel's segments are learned, what a
// launch does depends on its LaunchJournal::Key alone, if the array is at rest before and no other launch comes while
// it runs. Without data nothing else is to be done at a firing than to book it; so one such launch is run with its
// firings written down, and later ones are booked from there: at the same cycles, with the same actions, whose
// transactions stand for all firings of a segment. One that may reach a place that operand memory or scratchpad have
// not got is run, so that it fails where it does otherwise.
#include <fmt/format.h>

#include <algorithm>

#include "models/pe/lockstep_array.h"

namespace bvp {

LaunchJournal::Key LockstepArray::journal_key(const Launch& launch) const {
  LaunchJournal::Key key;
  key.counts = launch.record.counts;
  key.resident = launch.resident;
  for (std::size_t unit = 0; unit < unit_count; ++unit) key.last_served[unit] = units_[unit].last_served;
  return key;
}

std::optional<Cycle> LockstepArray::begin_replay(Launch& launch) {
  close_journal();
  if (!launches_.empty()) {
    known_->overlaps = true;
    if (replay_) catch_up();
    return std::nullopt;
  }
  if (data_ || observed() || known_->overlaps || !at_rest() || !tokens_on_their_way().empty()) return std::nullopt;
  const LaunchJournal::Key key = journal_key(launch);
  auto& journals = known_->journals;
  const auto found = std::find_if(journals.begin(), journals.end(), [&](const auto& each) { return each.key == key; });
  if (found != journals.end()) {
    if (!stays_within_bounds(*found, launch.record)) return std::nullopt;
    replay_ = Replay{&*found, launch.arrival};
    for (std::size_t pe = 0; pe < launch.shares.size(); ++pe) {
      launch.shares[pe] = {found->shares[pe].unfinished, launch.arrival + found->shares[pe].end};
    }
    return replay_->end();
  }
  if (journals.size() == most_journals || entries_kept_ >= most_entries_of_all) return std::nullopt;
  launch_arrival_ = launch.arrival;
  LaunchJournal& journal = journal_.emplace();
  journal.key = key;
  for (const Share& share : launch.shares) journal.shares.push_back({share.unfinished, 0});
  journal.segments.resize(state_.size());
  return std::nullopt;
}

bool LockstepArray::stays_within_bounds(const LaunchJournal& journal, const LaunchRecord& record) {
  for (std::size_t i = 0; i < journal.segments.size(); ++i) {
    const LaunchJournal::OfSegment& course = journal.segments[i];
    if (!course.fires) continue;
    const SegmentProgram& segment = context_->program.segments[i];
    const StreamBases launched = launch_bases(segment, record);
    StreamBases lowest = bases_at(course.lowest, launched), highest = bases_at(course.highest, launched);
    for (std::size_t s = 0; s < streams_per_segment; ++s) {
      // In whichever of its rotating places the launch begins.
      const Stream& stream = segment.streams[s];
      const i64 farthest = i64{stream.rotation_stride} * std::max(0, stream.rotation_depth - 1);
      (farthest < 0 ? lowest : highest)[s] += farthest;
    }
    const FirstBases& first = context_->bases[i];
    if (!within_bounds(segment, bases_at(first.lowest, lowest))) return false;
    if (!within_bounds(segment, bases_at(first.highest, highest))) return false;
    if (segment.unit != Unit::load && segment.unit != Unit::store) continue;
    // As in a launch that is run, the addresses of PE 0 stand for those of all.
    if (!would_take(segment.unit, segment, bases_at(first.of_pe.front(), lowest))) return false;
    if (!would_take(segment.unit, segment, bases_at(first.of_pe.front(), highest))) return false;
  }
  return true;
}

bool LockstepArray::would_take(Unit unit, const SegmentProgram& segment, const StreamBases& bases) {
  place_vectors(unit, segment, bases);
  vector_access_.untimed_copies = 1;
  prepare_access(unit, nullptr);
  const unsigned bytes = to_scratchpad[array_index(0)]->transport_dbg(payload_);
  payload_.clear_extension(&vector_access_);
  return bytes == payload_.get_data_length();
}

// ---------------------------------------------------------------- writing

void LockstepArray::close_journal() { journal_.reset(); }

void LockstepArray::write_firing(u32 segment, Cycle now, Wait waited_for) {
  if (journal_->firings.size() + journal_->packets.size() > most_entries) return close_journal();
  LaunchJournal::Firing& firing = journal_->firings.emplace_back();
  firing.at = now - launch_arrival_;
  firing.segment = segment;
  firing.waited_for = waited_for;
  tokens_before_ = tokens_.value();
}

void LockstepArray::complete_firing() {
  LaunchJournal::Firing& firing = journal_->firings.back();
  firing.pes = static_cast<u32>(active_.size());
  firing.hops = active_hops_;
  firing.tokens = static_cast<u32>((tokens_.value() - tokens_before_) / multiplicity_);
  LaunchJournal::OfSegment& course = journal_->segments[firing_];
  const StreamBases distance = instance_bases(firing_);
  for (std::size_t s = 0; s < streams_per_segment; ++s) {
    course.lowest[s] = course.fires ? std::min(course.lowest[s], distance[s]) : distance[s];
    course.highest[s] = course.fires ? std::max(course.highest[s], distance[s]) : distance[s];
  }
  course.fires = true;
}

void LockstepArray::write_packets(u32 mask, u32 vectors, u32 packets, u64 hops, Cycle latency) {
  journal_->packets.push_back({now_ - launch_arrival_, mask, vectors, packets, hops, latency});
}

void LockstepArray::end_journal() {
  if (journal_ && at_rest()) {
    LaunchJournal& journal = *journal_;
    journal.cycles = now_ - launch_arrival_;
    for (std::size_t unit = 0; unit < unit_count; ++unit) journal.last_served[unit] = units_[unit].last_served;
    for (const TokenOnItsWay& token : tokens_on_their_way()) {
      journal.late_tokens.push_back({token.edge, token.arrival - launch_arrival_});
    }
    journal.firings.shrink_to_fit();
    journal.packets.shrink_to_fit();
    entries_kept_ += journal.firings.size() + journal.packets.size();
    known_->journals.push_back(std::move(journal));
  }
  close_journal();
}

// ---------------------------------------------------------------- booking

void LockstepArray::replay_until(Cycle until) {
  Replay& replay = *replay_;
  const LaunchJournal& journal = *replay.journal;
  const auto& segments = context_->program.segments;
  counts_.assign(segments.size(), {});
  for (; replay.firings < journal.firings.size(); ++replay.firings) {
    const LaunchJournal::Firing& firing = journal.firings[replay.firings];
    const Cycle now = replay.arrival + firing.at;
    if (now >= until) break;
    firing_ = firing.segment;
    multiplicity_ = firing.pes;
    const Unit unit = segments[firing_].unit;
    count_wait(unit, firing.waited_for, firing.waited);
    tokens_ += u64{firing.tokens} * firing.pes;
    firings_ += firing.pes;
    book_busy(unit, now, firing.issue, firing.special, firing.stall);
    Count& count = counts_[firing_];
    if (count.copies == 0) count.when.begin = now;
    count.when.end = now + firing.issue + firing.special + firing.stall;
    count.copies += firing.pes;
    count.hops += firing.hops;
  }
  packet_counts_.clear();
  for (; replay.packets < journal.packets.size(); ++replay.packets) {
    const LaunchJournal::Packets& packets = journal.packets[replay.packets];
    const Cycle now = replay.arrival + packets.at;
    if (now >= until) break;
    const auto alike = [&](const PacketCount& count) {
      return count.packets.mask == packets.mask && count.packets.vectors == packets.vectors;
    };
    const auto found = std::find_if(packet_counts_.begin(), packet_counts_.end(), alike);
    if (found == packet_counts_.end()) {
      packet_counts_.push_back({packets, {now, now + packets.vectors}});
    } else {
      found->packets.packets += packets.packets;
      found->packets.hops += packets.hops;
      found->when.end = now + packets.vectors;
    }
  }
  for (const auto& [sum, when] : packet_counts_) count_packets(sum.mask, sum.vectors, sum.packets, sum.hops, when);
  count_segments();
  all_active_ = nullptr;  // multiplicity_ is that of another firing now
}

void LockstepArray::count_segments() {
  for (u32 segment = 0; segment < counts_.size(); ++segment) {
    const Count& count = counts_[segment];
    if (count.copies == 0) continue;
    firing_ = segment;
    multiplicity_ = count.copies;
    const SegmentProgram& program = context_->program.segments[segment];
    const u64 vectors = u64{count.copies} * program.transfers.size();
    if (program.unit == Unit::cal) {
      count_cal(context_->schedules[segment]->any(), count.when.begin, count.when.end);
      continue;
    }
    const auto [begin, end] = count.when;
    if (program.unit != Unit::load) operand_reads_.add(vectors, begin, end);
    if (program.unit != Unit::store) operand_writes_.add(vectors, begin, end);
    if (program.unit == Unit::flow) continue;
    const StreamBases launched = launch_bases(program, launches_.front().record);
    const StreamBases bases = bases_at(context_->bases[segment].of_pe.front(), launched);
    if (!count_vectors(program.unit, 0, program, bases, count.copies, count.hops, count.when)) return;
  }
}

void LockstepArray::end_known_launch(Cycle now) {
  replay_until(now + 1);
  if (!replay_) return;  // after fail()
  const LaunchJournal& journal = *replay_->journal;
  // Iterations begun are not brought up to date: without data it does not matter which of its rotating places comes
  // next.
  for (SegmentState& state : state_) ++state.launch;
  for (const auto& token : journal.late_tokens) delay_token(token.edge, replay_->arrival + token.at);
  replay_.reset();
  for (std::size_t unit = 0; unit < unit_count; ++unit) {
    units_[unit].last_served = journal.last_served[unit];
    booked_[unit].repeat(journal.booked[unit], launches_.front().arrival);
  }
  launches_.front().unfinished = 0;
}

void LockstepArray::catch_up() {
  const Cycle now = clock_.now();
  replay_until(now);
  if (!replay_) return;  // after fail()
  const Replay replay = *replay_;
  replay_.reset();
  for (UnitState& unit : units_) unit.free_at = replay.arrival;
  for (BookedUntil& booked : booked_) booked.unite();
  Launch& launch = launches_.front();
  launch.shares.clear();
  add_shares(launch);
  caught_up_ = replay.journal;
  caught_packets_ = 0;
  running_ = true;
  wake_pending_ = true;
  wake_at_ = replay.arrival;
  restart_events(replay.arrival);
  while (wake_pending_ && wake_at_ < now) {
    now_ = wake_at_;
    wake_pending_ = false;
    advance_to(now_);
  }
  running_ = false;
  caught_up_ = nullptr;
  all_active_ = nullptr;
  if (!wake_pending_) return;
  wake_pending_ = false;
  wake_at(wake_at_);
}

void LockstepArray::stop(Cycle now) {
  if (replay_) replay_until(now);
  replay_.reset();
  close_journal();
  PeCore::stop(now);
  all_active_ = nullptr;
}

void LockstepArray::set_power(ArrayPower power, Cycle now) {
  if (replay_) replay_until(now);
  PeCore::set_power(power, now);
}

std::string LockstepArray::pending() const {
  if (!replay_) return PeCore::pending();
  return fmt::format("{}: a launch that arrived at cycle {} ends at cycle {}\n", name_, replay_->arrival,
                     replay_->end());
}

void LockstepArray::settle() {
  const Cycle now = std::max(now_, clock_.now());
  if (replay_) replay_until(now);
  PeCore::settle(now);
  book_outside(now);
}

}  // namespace bvp
