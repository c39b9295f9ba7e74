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
    bool fast = false;  ///< long transfers are timed burst by burst at first only, and go on at the pace they have then
    bool data = true;   ///< false: in fast mode nothing is moved
  };
  Dma(sc_core::sc_module_name name, const DmaParameters& parameters, const ClockDomain& clock,
      StatGroup& parent_statistics, Mode mode);
  Dma(sc_core::sc_module_name name, const DmaParameters& parameters, const ClockDomain& clock,
      StatGroup& parent_statistics)
      : Dma(name, parameters, clock, parent_statistics, Mode{}) {}
  ~Dma() override;

  /// A 64-byte write at channel * 0x100 starts a transfer; a busy channel refuses it. A 4-byte read at
  /// channel * 0x100 + 0x40 gives bit 31: busy, other bits: the DmaStatus of the last transfer.
  tlm_utils::simple_target_socket<Dma> descriptors;
  /// Source and destination, at bus addresses.
  tlm_utils::simple_initiator_socket<Dma> to_bus;
  /// An 8-byte write at channel * 8 when a transfer has ended: u32 DmaStatus, u32 0.
  tlm_utils::simple_initiator_socket<Dma> completions;

  [[nodiscard]] const DmaStatistics& statistics(u32 channel) const { return channels_.at(channel)->statistics; }
  /// Counts the cycles of busy channels up to the present; call before reading the statistics.
  void settle();
  /// Moves transfers on to the present that are timed loosely. The simulation has ended: what comes after them would
  /// not be timed as it is without.
  void bring_up_to_date() { stop_moving(); }

  /// Of all channels together.
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
    Cycle issue_from = 0;     // when the data path is free for the next burst
    Cycle finished = 0;       // when the last burst is done
    std::vector<Cycle> done;  // ring: when the last `outstanding` bursts are
    u64 burst_count = 0;
    // Fast: since the busy transfers have changed.
    u64 paced_bursts = 0;
    u64 paced_reads = 0, paced_writes = 0, paced_bytes = 0;
    Cycle pace_begin = 0;  // issue of the burst from which on the pace is measured
    bool movable = false;  // Fast: its targets take BulkTraffic of all that it touches
    // Fast: while it moves.
    Cycle moving_from = 0;
    double fill = 0;       // cycles from then on until the pipeline is full
    std::vector<u8> data;  // of a burst; of a fill: its pattern
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
  /// All its bursts have been issued.
  [[nodiscard]] static bool drains(const Channel& channel) {
    return channel.status != DmaStatus::ok || channel.transfer.finished();
  }

  // Fast mode, in dma_fast.cpp: transfers of the same shapes at the same time go at the same pace. It is measured over
  // a number of bursts; from then on all busy channels move on together, until one of them ends or another transfer
  // begins. What beginning and ending cost is learnt likewise; until then the first and last bursts are timed.
  /// The mean over the busy channels; enough to see many batches of the DRAM's write queue. 512 are no more exact over
  /// the shipped networks (0.5 % of the cycles in the mean), 128 are somewhat less.
  static constexpr u64 learning_bursts = 256;
  /// Of each channel, however slow it is beside the others.
  static constexpr u64 least_learning_bursts = 64;
  void find_busy_transfers();
  [[nodiscard]] bool pace_is_measured() const;
  /// Samples before and the present one together.
  [[nodiscard]] bool sample_is_large() const;
  /// A burst that was issued then has been timed.
  void count_for_pace(Channel& channel, Cycle issue);
  void learn_paces();
  void learn_drain(const Channel& channel);
  /// Bursts that fill the pipeline before the pace is measured.
  [[nodiscard]] u64 pace_bursts() const { return u64{outstanding_}; }
  /// Whether each side lies within one target that takes traffic without time. What does not is timed to its end, so
  /// that errors come where they come cycle by cycle.
  bool can_be_moved(const Channel& channel);
  /// Bursts that need not be timed.
  [[nodiscard]] u64 skippable(const Channel& channel) const;
  [[nodiscard]] bool can_move(const Channel& channel) const;
  /// Cycles from now on until all that can be skipped is, and how much is after some of them.
  [[nodiscard]] double cycles_to_move(Channel& channel) const;
  [[nodiscard]] u64 bursts_moved(const Channel& channel) const;
  bool start_moving();
  /// Brings the channels up to the present if they were moving.
  bool stop_moving();
  /// Brings a channel that has moved by so many bursts up to the present.
  void catch_up(Channel& channel, u64 bursts);
  /// Moves and counts what these bursts would have.
  void move(Channel& channel, u64 bursts, u64 bytes, Cycle cycles);
  /// False: no target takes it.
  bool send_bulk(const DmaSpan& span, BulkTraffic& bulk);
  /// Moves the next bytes of the transfer at once.
  void move_data(Channel& channel, u64 bytes);
  /// Even addresses of moved_ get the low byte.
  void fill_moved(u16 pattern);
  /// One side of them: moved_ to or from moved_data_; false if a target does not take it.
  bool access_moved(bool write);
  /// A run of them, of a target that knows no BulkData: by the debug transport or, where the target has none, by
  /// transactions whose time is not looked at.
  bool access_plainly(u64 address, u8* data, u32 bytes, bool write);
  /// Host memory that holds the bus address, or null.
  const tlm::tlm_dmi* direct_memory(u64 address);

  [[nodiscard]] bool moves_nothing() const { return mode_.fast && !mode_.data; }

  const ClockDomain clock_;
  StatGroup stats_;
  TimingOnly timing_only_;
  SampledTraffic sampled_;
  bool sampling_ = false;  // the burst at hand is one that the pace is measured of
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
  BusyTransfers* busy_ = nullptr;  // the entry of paces_ for what is busy now
  std::optional<Cycle> moving_since_;
};

}  // namespace bvp
