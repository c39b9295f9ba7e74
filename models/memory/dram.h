// SPDX-License-Identifier: Apache-2.0
// External memory with its controller: channels, banks, rows, refresh, queues.
#pragma once

#include <tlm_utils/simple_target_socket.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <systemc>
#include <vector>

#include "models/base/clock.h"
#include "models/base/ecc_words.h"
#include "models/base/lazy_memory.h"
#include "models/base/signal.h"
#include "models/base/statistics.h"
#include "models/memory/dram_channel.h"
#include "models/memory/dram_parameters.h"
#include "models/memory/fast/bulk_activity.h"
#include "models/memory/policies/address_map.h"
#include "models/transport/bulk_traffic.h"
#include "models/transport/check.h"

namespace bvp {

/// A target of reads and writes of 1 to 4096 bytes at local offsets. Each request is split into accesses of 64 bytes,
/// which contend for banks and data buses; `delay` grows by the time until the last access is done.
class Dram : public sc_core::sc_module {
 public:
  /// @param use  how the bytes that are used lie in the memory
  Dram(sc_core::sc_module_name name, const DramParameters& parameters, StatGroup& parent_statistics,
       LazyMemory::Use use = LazyMemory::Use::dense);
  ~Dram() override;

  tlm_utils::simple_target_socket<Dram> target;

  static constexpr u32 max_request_bytes = 4096;

  [[nodiscard]] u64 size() const { return storage_.size(); }
  [[nodiscard]] const ClockDomain& clock() const { return clock_; }
  [[nodiscard]] const DramStatistics& statistics() const { return statistics_; }
  /// Connects the slot to the commands of all channels. Times are in DRAM clocks; the calls do not come in the order of
  /// time, and bulk traffic causes none.
  [[nodiscard]] std::vector<Connection> connect_commands(
      const std::function<void(u32 channel, const DramCommand&)>& slot);
  /// A read or write command (burst) of the devices: its clocks on the data bus, and its bytes.
  [[nodiscard]] Cycle burst_clocks() const { return timing_.burst; }
  [[nodiscard]] u64 burst_bytes() const { return dram_access_bytes / timing_.bursts; }
  /// The peak rates of all channels together: accesses on the data buses, and activates.
  [[nodiscard]] double accesses_per_clock() const {
    return static_cast<double>(channels_.size()) / static_cast<double>(timing_.access());
  }
  [[nodiscard]] double activates_per_clock() const {
    const double in_turn = 1 / static_cast<double>(timing_.rrd[0]), in_fours = 4 / static_cast<double>(timing_.faw);
    return static_cast<double>(channels_.size()) * std::min(in_turn, in_fours);
  }
  /// Turns a bit of the byte over, as radiation does: 0 to 7. Returns false if there is no such byte.
  bool flip(u64 offset, u32 bit);
  [[nodiscard]] u64 ecc_corrected() const { return ecc_corrected_.value(); }
  [[nodiscard]] u64 ecc_detected() const { return ecc_detected_.value(); }
  /// Counts what happens by time alone (refreshes) up to the present; call it before reading the statistics.
  void update_statistics();

 private:
  void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  /// Serves BulkTraffic and BulkData. Returns true if the payload is one of them.
  bool untimed(tlm::tlm_generic_payload& payload);
  [[nodiscard]] tlm::tlm_response_status move_bulk(u64 address, u8* data, BulkData& bulk);
  /// Lets the code see an access while words are wrong. Returns false if a word cannot be corrected.
  bool check_words(bool write, u64 address, u64 bytes);
  /// The activity of accesses that were timed one by one.
  [[nodiscard]] DramActivity timed() const;
  void count_bulk(const BulkTraffic& traffic);
  u32 transport_dbg(tlm::tlm_generic_payload& payload);
  bool get_direct_mem_ptr(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi);

  PayloadRules rules_;
  ClockDomain clock_;
  StatGroup stats_;
  DramStatistics statistics_{&stats_};
  std::unique_ptr<DramAddressMap> map_;
  LazyMemory storage_;
  std::vector<std::unique_ptr<DramChannel>> channels_;
  DramTiming timing_;
  Cycle request_latency_, response_latency_;
  DramBulkActivity bulk_;
  bool posted_writes_;
  bool dmi_;
  const bool ecc_;
  EccWords words_;
  Counter ecc_corrected_{&stats_, "ecc_corrected", "words",
                         "words of 64 bits with one wrong bit that the code corrected"};
  Counter ecc_detected_{&stats_, "ecc_detected", "words", "accesses to words that the code could not correct"};
};

}  // namespace bvp
