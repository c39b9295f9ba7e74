// SPDX-License-Identifier: Apache-2.0
// DMA engine: copies and fills described by descriptors, burst by burst over the bus.
#pragma once

#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <memory>
#include <optional>
#include <string>
#include <systemc>
#include <vector>

#include "models/abi/dma_status.h"
#include "models/base/clock.h"
#include "models/base/statistics.h"
#include "models/dma/dma_parameters.h"
#include "models/dma/dma_transfer.h"
#include "models/dma/pace.h"
#include "models/transport/bulk_traffic.h"

namespace bvp {

/// Counters of one channel.
struct DmaStatistics {
  explicit DmaStatistics(StatGroup* group) : group_(group) {}

 private:
  StatGroup* group_;

 public:
  Counter descriptors{group_, "descriptors", "descriptors", "Descriptors taken."};
  Counter errors{group_, "errors", "descriptors", "Descriptors that ended with an error."};
  Counter bytes_read{group_, "bytes_read", "bytes", "Bytes read from the source."};
  Counter bytes_written{group_, "bytes_written", "bytes", "Bytes written to the destination."};
  Counter bus_requests{group_, "bus_requests", "requests", "Reads and writes sent to the bus."};
  Counter busy_cycles{group_, "busy_cycles", "cycles", "Cycles from a descriptor's arrival to its completion."};
  Counter setup_cycles{group_, "setup_cycles", "cycles", "Those of them before the first burst."};
  Counter burst{group_, "burst", "bursts", "Bursts performed."};
  Counter byte{group_, "byte", "bytes", "Bytes moved or filled."};
};

class Dma : public sc_core::sc_module {
 public:
  struct Mode {
    /// Long transfers are timed burst by burst only at first, and then continue at the pace that they have reached.
    bool fast = false;
    bool data = true;  ///< false: in fast mode nothing is moved
  };
  Dma(sc_core::sc_module_name name, const DmaParameters& parameters, const ClockDomain& clock,
      StatGroup& parent_statistics, Mode mode);
  Dma(sc_core::sc_module_name name, const DmaParameters& parameters, const ClockDomain& clock,
      StatGroup& parent_statistics)
      : Dma(name, parameters, clock, parent_statistics, Mode{}) {}
  ~Dma() override;

  /// A 64-byte write at address channel * 0x100 starts a transfer; a busy channel refuses it. A 4-byte read at channel
  /// * 0x100 + 0x40 gives in bit 31 whether the channel is busy, in the other bits the DmaStatus of the last transfer.
  tlm_utils::simple_target_socket<Dma> descriptors;
  /// Source and destination of the data, at bus addresses.
  tlm_utils::simple_initiator_socket<Dma> to_bus;
  /// An 8-byte write at address channel * 8 when a transfer has ended: u32 DmaStatus, u32 0.
  tlm_utils::simple_initiator_socket<Dma> completions;

  [[nodiscard]] const DmaStatistics& statistics(u32 channel) const { return channels_.at(channel)->statistics; }
  /// Counts the cycles of busy channels up to the present; call before reading the statistics.
  void settle();
  /// Moves transfers that are timed loosely on to the present. Call it only when the simulation has ended: the timing
  /// of what comes after the call would differ from a run without it.
  void bring_up_to_date() { stop_moving(); }

  /// Counters of all channels together.
  [[nodiscard]] double bytes_per_cycle() const {
    return static_cast<double>(channels_.size()) * static_cast<double>(bytes_per_cycle_);
  }
  [[nodiscard]] bool busy(u32 channel) const { return channels_.at(channel)->busy; }

 private:
  struct Channel {
    Channel(u32 number, const DmaParameters& parameters);

    u32 number;
    StatGroup stats;
    DmaStatistics statistics{&stats};
    sc_core::sc_event wake;
    bool busy = false;
    DmaStatus status = DmaStatus::ok;
    DmaDescriptor descriptor{};
    DmaTransfer transfer;
    DmaBurst burst;
    Cycle submitted = 0;
    LastingState taken, set_up;
    Cycle issue_from = 0;     // the data path is free for the next burst from this cycle on
    Cycle finished = 0;       // the last burst is done in this cycle
    std::vector<Cycle> done;  // ring: the cycles in which the last `outstanding` bursts are done
    u64 burst_count = 0;
    // Fast mode; counted since the set of busy transfers has changed.
    u64 paced_bursts = 0;
    u64 paced_reads = 0, paced_writes = 0, paced_bytes = 0;
    Cycle pace_begin = 0;  // issue of the first burst that the pace is measured with
    bool movable = false;  // fast mode: the targets take BulkTraffic for all that the transfer touches
    // Fast mode, while the transfer moves at a known pace.
    Cycle moving_from = 0;
    double fill = 0;       // cycles from moving_from until the pipeline is full
    std::vector<u8> data;  // bytes of a burst; for a fill, its pattern
    tlm::tlm_generic_payload payload;
  };

  void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  u32 transport_dbg(tlm::tlm_generic_payload& payload);
  [[nodiscard]] u32 status_word(const Channel& channel) const;
  void submit(Channel& channel, const u8* descriptor, const sc_core::sc_time& delay);
  void run(Channel& channel);
  [[nodiscard]] Cycle next_issue(const Channel& channel) const;
  void wake_when_due(Channel& channel);
  void perform_burst(Channel& channel, Cycle issue);
  bool move_segment(Channel& channel, tlm::tlm_command command, const DmaSegment& segment, u8* data, Cycle issue,
                    Cycle& done);
  void complete(Channel& channel);
  /// Whether all bursts of the channel have been issued.
  [[nodiscard]] static bool drains(const Channel& channel) {
    return channel.status != DmaStatus::ok || channel.transfer.finished();
  }

  // Fast mode, in dma_fast.cpp. Transfers with the same shapes that are busy at the same time go at the same pace. The
  // pace is measured over a number of bursts. After that all busy channels move at the known pace, without timed
  // bursts, until one transfer ends or another begins. The cost of beginning and of ending is learnt in the same way;
  // until it is known, the first and the last bursts are timed.
  /// Bursts per channel that a pace is measured over, the mean over the busy channels; 256 cover many batches of the
  /// DRAM's write queue. 512 are not more exact over the shipped networks (0.5 % of the cycles in the mean), 128 are
  /// less exact.
  static constexpr u64 learning_bursts = 256;
  /// Bursts that each channel must have, even a slow one beside fast ones.
  static constexpr u64 least_learning_bursts = 64;
  void find_busy_transfers();
  [[nodiscard]] bool pace_is_measured() const;
  /// Whether the earlier samples and the present one have enough bursts together.
  [[nodiscard]] bool sample_is_large() const;
  /// Counts a timed burst that was issued at `issue`.
  void count_for_pace(Channel& channel, Cycle issue);
  void learn_paces();
  void learn_drain(const Channel& channel);
  /// Bursts that fill the pipeline before the pace is measured.
  [[nodiscard]] u64 pace_bursts() const { return u64{outstanding_}; }
  /// Whether each side of the transfer lies within one target that takes BulkTraffic. Other transfers are timed to
  /// their end, so that errors come where they come cycle by cycle.
  bool can_be_moved(const Channel& channel);
  /// Remaining bursts that need not be timed.
  [[nodiscard]] u64 skippable(const Channel& channel) const;
  [[nodiscard]] bool can_move(const Channel& channel) const;
  /// Cycles from now until the channel has moved all bursts that it can skip.
  [[nodiscard]] double cycles_to_move(Channel& channel) const;
  [[nodiscard]] u64 bursts_moved(const Channel& channel) const;
  bool start_moving();
  /// Brings the channels up to the present if they were moving.
  bool stop_moving();
  /// Brings a channel up to the present, after `bursts` bursts have moved.
  void catch_up(Channel& channel, u64 bursts);
  /// Moves the data of these bursts and counts what timed bursts would have counted.
  void move(Channel& channel, u64 bursts, u64 bytes, Cycle cycles);
  /// Returns false if no target takes it.
  bool send_bulk(const DmaSpan& span, BulkTraffic& bulk);
  /// Moves the next bytes of the transfer at once.
  void move_data(Channel& channel, u64 bytes);
  /// Fills moved_data_ with the pattern; bytes at even addresses get its low byte.
  void fill_moved(u16 pattern);
  /// Reads moved_data_ from the runs in moved_ or writes it to them; false if a target refuses.
  bool access_moved(bool write);
  /// The same for one run in a target that does not know BulkData. Uses the debug transport or, where the target has
  /// none, transactions whose time is ignored.
  bool access_plainly(u64 address, u8* data, u32 bytes, bool write);
  /// Host memory that holds the bus address, or null.
  const tlm::tlm_dmi* direct_memory(u64 address);

  [[nodiscard]] bool moves_nothing() const { return mode_.fast && !mode_.data; }

  const ClockDomain clock_;
  StatGroup stats_;
  TimingOnly timing_only_;
  SampledTraffic sampled_;
  bool sampling_ = false;  // the present burst belongs to the sample that the pace is measured with
  const Mode mode_;
  std::vector<tlm::tlm_dmi> regions_;
  std::vector<DmaRun> moved_;
  std::vector<u8> moved_data_;
  std::vector<BulkData::Run> bulk_runs_;
  u32 outstanding_;
  u32 bytes_per_cycle_;
  Cycle setup_cycles_;
  std::vector<std::unique_ptr<Channel>> channels_;
  PaceTable paces_;
  BusyTransfers* busy_ = nullptr;  // the entry of paces_ for the transfers that are busy now
  std::optional<Cycle> moving_since_;
};

}  // namespace bvp
