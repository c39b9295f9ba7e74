// SPDX-License-Identifier: Apache-2.0
// The bus: address decode, arbitration per target, and latency. See docs/models/bus.md.
#pragma once

#include <tlm_utils/multi_passthrough_target_socket.h>
#include <tlm_utils/simple_initiator_socket.h>

#include <memory>
#include <string>
#include <systemc>
#include <vector>

#include "models/base/clock.h"
#include "models/base/signal.h"
#include "models/base/slot_calendar.h"
#include "models/base/statistics.h"
#include "models/bus/bus_parameters.h"

namespace bvp {

class Bus : public sc_core::sc_module {
 public:
  using TargetSocket = tlm_utils::simple_initiator_socket_tagged<Bus>;

  tlm_utils::multi_passthrough_target_socket<Bus> from;  ///< any number of initiators, at bus addresses

  /// Emitted when a write has been carried out, with its address and length. Accesses of the CPU to memory that it
  /// reaches directly do not come here, nor do debuggers.
  Signal<u64, u64> written;

  Bus(sc_core::sc_module_name name, const BusParameters& parameters, const ClockDomain& clock, StatGroup& parent_stats);
  ~Bus() override;

  /// Maps [base, base + bytes) to a new socket, to be bound to the target, which sees offsets from the base. An empty
  /// region, or one that overlaps another, is an error.
  TargetSocket& add_target(const std::string& name, u64 base, u64 bytes);

  [[nodiscard]] const StatGroup& statistics() const { return stats_; }

 private:
  struct Target {
    Target(const std::string& target_name, u64 first_address, u64 last_address, StatGroup& parent_stats);

    std::string name;
    u64 base, last;
    TargetSocket socket;
    SlotCalendar port;
    StatGroup stats;
    Counter transactions, bytes, wait_cycles;
  };

  void transport(int initiator, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  /// Forwards BulkTraffic and BulkData. Returns true if the payload is one of them and has gone to its target, which
  /// checks the runs.
  bool untimed(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  unsigned debug(int initiator, tlm::tlm_generic_payload& payload);
  bool direct_memory(int initiator, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi);
  void invalidate(int target, sc_dt::uint64 start, sc_dt::uint64 end);

  /// Returns the region that contains all of [address, address + bytes), or null if none does.
  [[nodiscard]] Target* decode(u64 address, u64 bytes) const;

  const ClockDomain clock_;
  const sc_core::sc_time request_latency_, response_latency_;
  const unsigned beat_shift_;

  StatGroup stats_;
  Counter decode_errors_;

  // In the order in which they were added: the index is the socket's tag.
  std::vector<std::unique_ptr<Target>> targets_;
  std::vector<Target*> by_address_;
};

}  // namespace bvp
