// SPDX-License-Identifier: Apache-2.0
// Which block of an array is called in which cycle: one SystemC event for all of them, and none for a cycle in which
// nothing is to be done.
#pragma once

#include <array>
#include <systemc>
#include <vector>

#include "models/base/clock.h"
#include "models/base/types.h"

namespace bvp {

class CycleAgenda : public sc_core::sc_module {
 public:
  class Client {
   public:
    virtual ~Client() = default;
    /// The agenda calls this in the cycle that the client has asked for. The client may ask for another cycle, and for
    /// the present one again.
    virtual void wake(Cycle now) = 0;
  };

  CycleAgenda(sc_core::sc_module_name name, const ClockDomain& clock);

  /// Clients of the same cycle are called in the order in which they were added. They must live as long as the
  /// simulation runs.
  /// @return  the number by which the client asks
  u32 add(Client& client);
  /// The client is called in this cycle, or in the one at hand if that is later. A client is called once for the
  /// earliest cycle that it asked for since it was called last.
  void wake_at(u32 client, Cycle cycle);

  SC_HAS_PROCESS(CycleAgenda);

 private:
  static constexpr Cycle never = ~Cycle{0};
  static constexpr Cycle horizon = 64;

  void run();
  void notify_next();
  [[nodiscard]] u64* clients_at(Cycle cycle) { return &wheel_[cycle % horizon * words_]; }

  const ClockDomain clock_;
  std::vector<Client*> clients_;
  std::vector<Cycle> due_;  // by client; never: it has not asked
  std::size_t words_ = 0;   // of a set of clients
  std::vector<u64> wheel_;  // by cycle, a ring: the clients of `horizon` cycles from the one at hand on
  u64 cycles_ = 0;          // a bit for each cycle of the ring that has clients
  std::vector<u64> far_;    // clients of later cycles
  Cycle far_at_ = never;    // the first of those
  Cycle notified_ = never;
  Cycle running_ = never;  // the cycle whose clients are being called
  sc_core::sc_event wake_;
};

}  // namespace bvp
