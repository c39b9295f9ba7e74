// SPDX-License-Identifier: Apache-2.0
// External memory with its controller: channels, banks, open rows, refresh, queues.
#pragma once

#include <tlm_utils/simple_target_socket.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <systemc>
#include <unordered_map>
#include <vector>

#include "models/base/clock.h"
#include "models/base/lazy_memory.h"
#include "models/base/statistics.h"
#include "models/memory/dram_channel.h"
#include "models/memory/dram_parameters.h"
#include "models/memory/policies/address_map.h"
#include "models/transport/bulk_traffic.h"

namespace bvp {

/// A target of reads and writes of 1 to 4096 bytes at local offsets. Each is split into accesses of 64 bytes that
/// contend for banks and data buses; `delay` grows by what the last of them takes.
class Dram : public sc_core::sc_module {
 public:
  /// @param use  of the memory that holds the data
  Dram(sc_core::sc_module_name name, const DramParameters& parameters, StatGroup& parent_statistics,
       LazyMemory::Use use = LazyMemory::Use::dense);
  ~Dram() override;

  tlm_utils::simple_target_socket<Dram> target;

  static constexpr u32 max_request_bytes = 4096;

  [[nodiscard]] u64 size() const { return storage_.size(); }
  [[nodiscard]] const ClockDomain& clock() const { return clock_; }
  [[nodiscard]] const DramStatistics& statistics() const { return statistics_; }
  /// Called for each command of each channel, in DRAM clocks; not in time order, and not for bulk traffic.
  void set_command_observer(const std::function<void(u32 channel, const DramCommand&)>& observer);
  /// A read or write command of the devices: clocks of the data bus, and bytes.
  [[nodiscard]] Cycle burst_clocks() const { return timing_.burst; }
  [[nodiscard]] u64 burst_bytes() const { return dram_access_bytes / timing_.bursts; }
  /// What the data buses and the activates of all channels can do.
  [[nodiscard]] double accesses_per_clock() const {
    return static_cast<double>(channels_.size()) / static_cast<double>(timing_.access());
  }
  [[nodiscard]] double activates_per_clock() const {
    const double in_turn = 1 / static_cast<double>(timing_.rrd[0]), in_fours = 4 / static_cast<double>(timing_.faw);
    return static_cast<double>(channels_.size()) * std::min(in_turn, in_fours);
  }
  /// Counts what time alone causes (refreshes) up to the present; call before reading the statistics.
  void update_statistics();

 private:
  void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  /// BulkTraffic and BulkData: true if it is one.
  bool untimed(tlm::tlm_generic_payload& payload);
  [[nodiscard]] tlm::tlm_response_status move_bulk(u64 address, u8* data, BulkData& bulk);
  void count_bulk(const BulkTraffic& bulk);
  u32 transport_dbg(tlm::tlm_generic_payload& payload);
  bool get_direct_mem_ptr(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi);
  [[nodiscard]] tlm::tlm_response_status check(const tlm::tlm_generic_payload& payload) const;

  ClockDomain clock_;
  StatGroup stats_;
  DramStatistics statistics_{&stats_};
  std::unique_ptr<DramAddressMap> map_;
  LazyMemory storage_;
  std::vector<std::unique_ptr<DramChannel>> channels_;
  DramTiming timing_;
  Cycle request_latency_, response_latency_;
  struct Activity {
    u64 bytes_read = 0, bytes_written = 0;
    u64 reads = 0, writes = 0;  // of 64 bytes; writes also that still wait
    u64 activates = 0;
    Activity& operator+=(const Activity& other);
    Activity operator-(const Activity& other) const;
  };
  /// Of what was timed access by access.
  [[nodiscard]] Activity timed() const;
  Activity bulk_;                              // what bulk traffic has added to the counters
  std::unordered_map<u64, Activity> samples_;  // by pattern
  Cycle bulk_until_ = 0;                       // when the last bulk traffic ended
  bool posted_writes_;
  bool dmi_;
};

}  // namespace bvp
