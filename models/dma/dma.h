// SPDX-License-Identifier: Apache-2.0
// DMA engine: copies and fills described by descriptors, burst by burst over the bus.
#pragma once

#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <memory>
#include <systemc>
#include <vector>

#include "models/abi/dma_status.h"
#include "models/base/clock.h"
#include "models/base/statistics.h"
#include "models/dma/dma_channel.h"
#include "models/dma/dma_course.h"
#include "models/dma/dma_parameters.h"
#include "models/transport/check.h"

namespace bvp {

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

  /// A write at address channel * 0x100 starts a transfer, a DmaDescriptor of 64 bytes or an IndexedDescriptor of 80
  /// bytes; a busy channel refuses it. A 4-byte read at channel
  /// * 0x100 + 0x40 gives in bit 31 whether the channel is busy, in the other bits the DmaStatus of the last transfer.
  /// A 4-byte write at + 0x44 aborts the transfer of a busy channel: no further burst is issued, and the transfer ends
  /// when those in flight are done. An 8-byte read at + 0x48 gives the bus address at which the last transfer failed.
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
  void bring_up_to_date() { course_->stop(); }

  /// Counters of all channels together.
  [[nodiscard]] double bytes_per_cycle() const {
    return static_cast<double>(channels_.size()) * static_cast<double>(bytes_per_cycle_);
  }
  [[nodiscard]] bool busy(u32 channel) const { return channels_.at(channel)->busy; }
  /// What the time of the channel's last transfer was spent on; its total is that time.
  [[nodiscard]] const DmaTime& time_of_last(u32 channel) const { return channels_.at(channel)->finished.spent; }

 private:
  void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  u32 transport_dbg(tlm::tlm_generic_payload& payload);
  [[nodiscard]] u32 status_word(const DmaChannel& channel) const;
  [[nodiscard]] static bool rules_of(u64 offset, PayloadRules& rules);
  void submit(DmaChannel& channel, const IndexedDescriptor& descriptor, bool indexed, const sc_core::sc_time& delay);
  void abort(DmaChannel& channel);
  void invalidate(sc_dt::uint64, sc_dt::uint64) { course_->forget_memory(); }
  void run(DmaChannel& channel);
  /// Reads the indices of a transfer, and then starts it. An index that is not below the bound ends the transfer.
  void read_indices(DmaChannel& channel);
  void perform_burst(DmaChannel& channel, const DmaPoint& issue);
  /// Makes the access that is issued at this point. If it is done later than `done`, that becomes the point where it
  /// is.
  bool move_segment(DmaChannel& channel, tlm::tlm_command command, const DmaSegment& segment, u8* data,
                    const DmaPoint& issue, DmaPoint& done);
  void complete(DmaChannel& channel);

  const ClockDomain clock_;
  StatGroup stats_;
  const u32 bytes_per_cycle_;
  const Cycle setup_cycles_;
  const u32 most_indices_;
  std::vector<std::unique_ptr<DmaChannel>> channels_;
  std::unique_ptr<DmaCourse> course_;
};

}  // namespace bvp
