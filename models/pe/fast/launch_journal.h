// SPDX-License-Identifier: Apache-2.0
// What a launch did in the loosely timed array, firing by firing, and how it is written down.
//
// Once the costs of a kernel's segments are learned, what a launch does depends on its LaunchJournal::Key alone, if the
// array is at rest before the launch comes, and no other launch comes while it runs. Without data nothing else is to be
// done at a firing than to count it; so one such launch is run and written down, and later ones are counted from the
// journal: at the same cycles, with the same actions.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "models/pe/fast/array_account.h"

namespace bvp {

/// Cycles count from the arrival of the launch.
struct LaunchJournal {
  /// What makes two launches of a kernel take the same course; the places of their data are not part of it.
  struct Key {
    std::array<u32, instance_levels> counts{};
    bool resident = false;
    TokenGraph::LastServed last_served{};
    bool operator==(const Key& other) const {
      return counts == other.counts && resident == other.resident && last_served == other.last_served;
    }
  };
  struct Entry {
    Cycle at = 0;
    u32 segment = 0;
    Wait waited_for = Wait::launch;
    u64 waited = 0;  ///< cycles, summed over its PEs
    u32 tokens = 0;  ///< taken by each of its PEs
    u32 pes = 0;
    u64 hops = 0;  ///< of a vector on the memory plane, summed over the PEs
    BusyCycles busy;
  };
  /// Vectors or tokens between PEs.
  struct Packets {
    Cycle at = 0;
    u32 mask = 0, vectors = 0;  ///< of each packet
    u32 packets = 0;
    u64 hops = 0;       ///< summed over the packets
    Cycle latency = 0;  ///< of a token
  };
  struct OfSegment {
    /// What the iterations add to the address of each of its streams; launch registers and rotation come on top of
    /// that.
    StreamBases lowest{}, highest{};
    bool fires = false;
  };
  struct Token {
    u32 edge = 0;
    Cycle at = 0;
  };

  Key key;
  std::vector<Entry> firings;
  std::vector<Packets> packets;
  Cycle cycles = 0;
  std::vector<OfSegment> segments;
  // The state in which the launch leaves the array.
  TokenGraph::LastServed last_served{};
  ArrayAccount::Booked booked;
  std::vector<LaunchShares::Share> shares;  ///< by PE, if PEs differ. `unfinished` counts segments that PE 0 has run
                                            ///< for other PEs only; `end` is the end of the last segment of the PE.
  std::vector<Token> late_tokens;           ///< that arrive when the launch has ended

  [[nodiscard]] std::size_t entries() const { return firings.size() + packets.size(); }
};

/// Writes the journal of the launch that runs.
class JournalRecorder {
 public:
  /// The most entries of a journal.
  static constexpr std::size_t most_entries = 1 << 16;

  /// A launch arrives.
  /// @param segments  that the kernel has
  void begin(const LaunchJournal::Key& key, Cycle arrival, std::vector<LaunchShares::Share> shares,
             std::size_t segments);
  [[nodiscard]] bool recording() const { return journal_.has_value(); }
  /// Stops recording: the launch cannot be repeated, or no journal is wanted.
  void close() { journal_.reset(); }

  // The functions write() add an entry while a journal is recorded, and do nothing otherwise.
  /// @param waited    cycles, summed over the PEs, that the unit has waited for the firing
  /// @param instance  the part of its bases that comes from the iterations
  void write(const Firing& firing, const Participants& active, u64 waited, const BusyCycles& busy,
             const StreamBases& instance);
  /// @param at  not counted from the arrival of the launch
  void write(LaunchJournal::Packets packets);
  /// Records what the launch has left to do on the PEs on which a segment ends.
  void write(const std::vector<u32>& pes, const std::vector<LaunchShares::Share>& shares);
  /// Records that all units have waited for the end of the launch.
  void write(const ArrayAccount::Booked& booked);
  /// The launch has ended, and the array is at rest.
  /// @param late_tokens  not counted from the arrival of the launch
  [[nodiscard]] LaunchJournal end(Cycle now, const TokenGraph::LastServed& last_served,
                                  std::vector<LaunchJournal::Token> late_tokens);

 private:
  std::optional<LaunchJournal> journal_;
  Cycle arrival_ = 0;
};

/// A launch that is counted from its journal.
class LaunchReplay {
 public:
  /// The sum over the firings of a segment, or over equal packets.
  struct SegmentSum {
    u64 firings = 0;  // one for each PE that takes part
    u64 hops = 0;
    CycleSpan when;  // from the first one's begin to the last one's end
  };
  struct PacketSum {
    LaunchJournal::Packets packets;
    CycleSpan when;
  };
  struct Sums {
    std::vector<SegmentSum> segments;
    std::vector<PacketSum> packets;
  };

  /// @param journal  must live as long as this
  LaunchReplay(const LaunchJournal& journal, Cycle arrival) : journal_(&journal), arrival_(arrival) {}

  [[nodiscard]] const LaunchJournal& journal() const { return *journal_; }
  [[nodiscard]] Cycle arrival() const { return arrival_; }
  [[nodiscard]] Cycle end() const { return arrival_ + journal_->cycles; }

  /// Goes on to `until`: calls book(const LaunchJournal::Entry&, Cycle now) for each firing that begins before that,
  /// once in all calls. Sets the sums of these firings and of the packets before `until`.
  template <class Book>
  void advance(Cycle until, Sums& sums, const Book& book);

 private:
  void add_packets(Cycle until, Sums& sums);

  const LaunchJournal* journal_;
  Cycle arrival_;
  std::size_t firings_ = 0, packets_ = 0;  // of the journal, counted so far
};

template <class Book>
void LaunchReplay::advance(Cycle until, Sums& sums, const Book& book) {
  sums.segments.assign(journal_->segments.size(), {});
  for (; firings_ < journal_->firings.size(); ++firings_) {
    const LaunchJournal::Entry& entry = journal_->firings[firings_];
    const Cycle now = arrival_ + entry.at;
    if (now >= until) break;
    book(entry, now);
    SegmentSum& sum = sums.segments[entry.segment];
    if (sum.firings == 0) sum.when.begin = now;
    sum.when.end = now + entry.busy.sum();
    sum.firings += entry.pes;
    sum.hops += entry.hops;
  }
  add_packets(until, sums);
}

}  // namespace bvp
