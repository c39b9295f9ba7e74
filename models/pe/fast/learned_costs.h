// SPDX-License-Identifier: Apache-2.0
// What the segments of a kernel cost in fast mode: learned from the first firings, which are timed with all PEs at
// once, and repeated from then on. See docs/models/pe.md.
#pragma once

#include <vector>

#include "models/base/types.h"
#include "models/pe/graph/firing.h"
#include "models/transport/vector_access.h"

namespace bvp {

/// Cycles of a firing: until its unit is free, and until its results are in place.
struct FiringTime {
  Cycle issue = 0, latency = 0;
};

/// The mean of some samples, each rounded to whole cycles.
class MeanTime {
 public:
  void add(const FiringTime& time) {
    ++samples_;
    issue_ += static_cast<double>(time.issue);
    latency_ += static_cast<double>(time.latency);
  }
  [[nodiscard]] u32 samples() const { return samples_; }
  /// 0 without samples.
  [[nodiscard]] FiringTime mean() const;

 private:
  u32 samples_ = 0;
  double issue_ = 0, latency_ = 0;  // cycles, sums over the samples
};

/// The times of all PEs' vectors in one firing of Load or Store that was timed with all PEs at once.
struct TransferSample {
  FiringTime slowest;           ///< of the PEs
  FiringTime least_hindered;    ///< of the PEs: how much longer one took than if it were alone
  u32 farthest = 0;             ///< the PE whose vectors are under way longest, if alone
  Cycle unloaded = 0;           ///< cycles of one vector from there
  VectorAccess::Limits limits;  ///< of that PE
};

/// How long the vectors of a firing wait for banks that have not served earlier vectors yet.
struct BankWait {
  Cycle turn = 0;   ///< for the banks that it uses, behind by what they had to do in the round of segments before
  Cycle drain = 0;  ///< for all banks to have served everything
};

class LearnedCosts {
 public:
  explicit LearnedCosts(std::size_t segments) : segments_(segments) {}

  /// A launch of the kernel begins.
  void begin_launch() { ++launches_; }
  /// Vectors are exchanged: PEs wait for each other there.
  void begin_exchange() { ++exchanges_; }
  /// The segment has moved its vectors. Until the next exchange its firings find the PEs at different points of time.
  void has_moved(u32 segment) { segments_[segment].exchanges = exchanges_; }
  /// Whether the firing is the first of its segment in the launch, or the first since PEs have exchanged vectors.
  [[nodiscard]] bool in_step(const Firing& firing) const {
    return firing.first_of_launch() || exchanges_ != segments_[firing.segment].exchanges;
  }

  /// Whether the next firing of the segment is to be timed with all PEs at once.
  [[nodiscard]] bool learns(u32 segment) const;
  /// A firing that is timed with all PEs at once begins.
  void begin_learning(u32 segment);
  void add(u32 segment, const TransferSample& sample);
  /// Adds the cycles that an exchange of vectors took on the slowest PE, and returns the mean over all exchanges.
  void add_exchange(u32 segment, const FiringTime& slowest) { segments_[segment].slowest.add(slowest); }
  [[nodiscard]] FiringTime exchange(u32 segment) const { return segments_[segment].slowest.mean(); }

  /// Whether the next firing of the segment is to measure how long it waits for banks.
  [[nodiscard]] bool learns_bank_waits(u32 segment) const {
    return segments_[segment].drain.samples() < drain_launches;
  }
  /// The cycles until which the banks are busy with what the segment has asked of them (VectorAccess::turns).
  [[nodiscard]] std::vector<Cycle>& turns(u32 segment) { return segments_[segment].turns; }
  void add(const Firing& firing, const BankWait& wait);
  [[nodiscard]] BankWait bank_wait(u32 segment) const {
    return {segments_[segment].turn.mean().latency, segments_[segment].drain.mean().latency};
  }

  /// The PE with the longest way to the scratchpad, and the cycles from one of its vectors to the next if no other PE
  /// issues vectors.
  [[nodiscard]] u32 farthest(u32 segment) const { return segments_[segment].farthest; }
  [[nodiscard]] const VectorAccess::Limits& limits(u32 segment) const { return segments_[segment].limits; }
  /// What a firing of Load or Store costs where banks keep up. When PEs are in step they get in each other's way, and
  /// what comes next waits for the slowest; afterwards the first collisions have put them so far apart that they pass
  /// each other.
  /// @param alone  cycles in which the farthest PE issues its vectors when it is alone
  [[nodiscard]] FiringTime unhindered(const Firing& firing, Cycle alone) const;
  /// The cost of a firing of Load or Store where a bank's ports are the limit. PEs that exchange vectors are at most
  /// one round of the kernel's segments apart, and when a launch ends all banks have served all PEs.
  [[nodiscard]] FiringTime with_waits(const Firing& firing, Cycle alone, const BankWait& wait) const;

 private:
  /// Firings that are timed before a segment's cost is taken as known, in so many launches at most. Without that bound
  /// cycles are hardly more exact (1.06 instead of 1.08 % off in the mean over 34 machines and 4 networks).
  static constexpr u32 learning_firings = 4, learning_launches = 2;
  /// Launches, after those of the bound above, in which the banks see all vectors. With two of them the cycles are 1.08
  /// instead of 1.09 % off.
  static constexpr u32 drain_launches = 1;

  struct SegmentCosts {
    MeanTime slowest, least_hindered;
    u32 farthest = 0;
    Cycle unloaded = 0;
    VectorAccess::Limits limits;
    u64 exchanges = 0;     // of the kernel, before the segment's last firing
    MeanTime turn, drain;  // latencies
    std::vector<Cycle> turns;
    u64 first_launch = 0;  // in which it has fired
  };

  std::vector<SegmentCosts> segments_;
  u64 launches_ = 0;   // begun
  u64 exchanges_ = 0;  // so far
};

}  // namespace bvp
