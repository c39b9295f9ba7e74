// SPDX-License-Identifier: Apache-2.0
// The course of DMA transfers in fast mode: they are timed burst by burst until their pace is known, and then move at
// that pace.
//
// Transfers with the same shapes that are busy at the same time go at the same pace. The pace is measured over a number
// of bursts. After that all busy channels move at the known pace, without timed bursts, until one transfer ends or
// another begins. The cost of beginning and of ending is learnt in the same way; until it is known, the first and the
// last bursts are timed.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "models/base/clock.h"
#include "models/dma/dma_course.h"
#include "models/dma/fast/bulk_mover.h"
#include "models/dma/fast/pace.h"

namespace bvp {

class PacedTransfers final : public DmaCourse {
 public:
  using Channels = std::vector<std::unique_ptr<DmaChannel>>;

  /// @param channels  all channels of the engine
  /// @param socket    leads to source and destination of the data
  /// @param data      false: no bytes are moved
  PacedTransfers(const Channels& channels, tlm::tlm_initiator_socket<>& socket, const ClockDomain& clock, bool data);
  ~PacedTransfers() override;

  void before_change() override;
  void has_begun(DmaChannel& channel) override;
  void before_indices(DmaChannel& channel) override;
  void after_indices(DmaChannel& channel) override;
  void before_end(DmaChannel& channel) override;
  void has_ended() override { find_busy_transfers(); }
  void before_burst(DmaChannel& channel) override;
  void after_burst(DmaChannel& channel, const DmaPoint& issue) override;
  [[nodiscard]] bool has_just_started(const DmaChannel& channel) const override {
    return moving_since_ && *moving_since_ == clock_.now() && !channel.drains();
  }
  bool start() override;
  bool stop() override;
  void forget_memory() override { mover_.forget_regions(); }

 private:
  /// Bursts per channel that a pace is measured over, the mean over the busy channels; 256 cover many batches of the
  /// DRAM's write queue. 512 are not more exact over the shipped networks (0.5 % of the cycles in the mean), 128 are
  /// less exact.
  static constexpr u64 learning_bursts = 256;
  /// Bursts that each channel must have, even a slow one beside fast ones.
  static constexpr u64 least_learning_bursts = 64;

  /// The course of one channel; counts are since the set of busy transfers has changed.
  struct Course {
    u64 bursts = 0;
    u64 reads = 0, writes = 0, bytes = 0;  // from pace_begin on
    DmaPoint pace_begin;                   // issue of the first burst that the pace is measured with
    bool movable = false;                  // the targets take BulkTraffic for all that the transfer touches
    // While the transfer moves.
    Cycle moving_from = 0;
    double fill = 0;  // cycles from moving_from until the pipeline is full
  };
  [[nodiscard]] Course& course(const DmaChannel& channel) { return courses_[channel.number]; }
  [[nodiscard]] const Course& course(const DmaChannel& channel) const { return courses_[channel.number]; }
  [[nodiscard]] const Pace& pace(const DmaChannel& channel) const { return busy_->paces[channel.number]; }

  void find_busy_transfers();
  /// All busy channels have filled their pipelines, and the pace of these transfers is not known yet.
  [[nodiscard]] bool pace_is_measured() const;
  /// Whether the earlier samples and the present one have enough bursts together.
  [[nodiscard]] bool sample_is_large() const;
  /// Bursts that fill the pipeline before the pace is measured.
  [[nodiscard]] u64 pace_bursts() const { return outstanding_; }
  /// Whether each side of the transfer lies within one target that takes BulkTraffic. Other transfers are timed to
  /// their end, so that errors come where they come cycle by cycle.
  bool can_be_moved(DmaChannel& channel);
  /// Remaining bursts that need not be timed. Until the duration of the drain is known, the last bursts are timed: the
  /// drain of bursts that were skipped cannot be measured.
  [[nodiscard]] u64 skippable(const DmaChannel& channel) const;
  [[nodiscard]] bool can_move(const DmaChannel& channel) const;
  /// Sets where the channel begins to move; returns the cycles until it has moved all bursts that it can skip.
  [[nodiscard]] double begin_to_move(const DmaChannel& channel);
  [[nodiscard]] u64 bursts_moved(const DmaChannel& channel) const;
  /// Brings a channel up to the present, after `bursts` bursts have moved.
  void catch_up(DmaChannel& channel, u64 bursts);
  /// Moves the points of a channel whose first bursts were skipped, too.
  void catch_up_first(DmaChannel& channel, u64 bursts);
  /// Moves the data of these bursts and counts what timed bursts would have counted.
  void move(DmaChannel& channel, u64 bursts, u64 bytes, Cycle cycles);

  const Channels& channels_;
  const ClockDomain clock_;
  const bool data_;
  const u64 outstanding_;
  BulkMover mover_;
  TimingOnly timing_only_;
  SampledTraffic sampled_;
  std::vector<Course> courses_;  // by channel
  PaceTable paces_;
  BusyTransfers* busy_ = nullptr;  // the entry of paces_ for the transfers that are busy now
  std::optional<Cycle> moving_since_;
};

}  // namespace bvp
