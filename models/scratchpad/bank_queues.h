// SPDX-License-Identifier: Apache-2.0
// The way of the PEs' vectors to the banks of the scratchpad: who issues, waits and is served in which cycle. It is
// worked out when someone asks, up to the cycle in question, and only while vectors are under way.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "models/common/array_parameters.h"
#include "models/common/slot_calendar.h"
#include "models/common/types.h"
#include "models/scratchpad/bank_arbiter.h"
#include "models/scratchpad/scratchpad_parameters.h"

namespace bvp {

class BankQueues {
 public:
  enum class Direction : u8 { read, write };

  /// A Load or Store firing of one PE.
  struct Firing {
    u64 ticket = 0;
    Cycle start = 0;
    std::vector<u8> banks;     // of the vectors, in the order of issue
    std::vector<Cycle> times;  // read: when the data can be used; write: a vector is not issued before; or empty
    std::size_t issued = 0, served = 0;
    Cycle issue_end = 0;      // one past the last issue so far
    Cycle end = 0;            // when the last of those served so far is done
    u64 conflict_cycles = 0;  // waited for banks and the return port
    u64 blocked_cycles = 0;   // not issued because too many were under way
    [[nodiscard]] bool all_issued() const { return issued == banks.size(); }
    [[nodiscard]] bool done() const { return served == banks.size(); }
  };

  /// @param ports  of the banks, bank * parameters.ports + port; shared with whoever else uses them
  BankQueues(const ArrayParameters& array, const ScratchpadParameters& parameters, std::vector<SlotCalendar>& ports,
             std::vector<u64>& bank_accesses);

  /// A firing begins at `start`. Calls come in the order of the simulated time as long as vectors are under way. The caller
  /// fills in `banks`, at least one, and may fill in `times`, before anything is worked out.
  Firing& begin(u32 pe, Direction direction, Cycle start);
  /// Works out all cycles before `now`.
  void advance(Cycle now);
  /// Works out as many cycles as it takes until this firing is done.
  void finish(u64 ticket);
  /// Null: there is none, or it has been forgotten.
  [[nodiscard]] const Firing* find(u64 ticket) const;
  void forget(u64 ticket);
  /// The earliest cycles in which a firing may have issued all and may be done; exact when it has and is.
  [[nodiscard]] Cycle issue_end(u64 ticket) const;
  [[nodiscard]] Cycle end(u64 ticket) const;

  [[nodiscard]] Cycle to_bank(u32 pe) const { return request_latency_ + Cycle{pe % columns_} * hop_latency_; }
  [[nodiscard]] Cycle from_bank(u32 pe, Direction direction) const {
    return array_latency_ + (direction == Direction::read ? response_latency_ + Cycle{pe % columns_} * hop_latency_ : 0);
  }

  /// Called for each vector served, with its PE and bank.
  using Observer = std::function<void(u32 pe, Direction direction, u32 bank, Cycle cycle)>;
  void set_observer(Observer observer) { observer_ = std::move(observer); }

 private:
  static constexpr Cycle never = ~Cycle{0};

  struct Channel {
    std::deque<std::unique_ptr<Firing>> firings;
    std::size_t issuing = 0;  // of firings: the first that has not issued all
    Cycle next_issue = 0;
    std::vector<Cycle> returns;  // of the last vectors issued, a ring; never: not served yet
    u32 oldest = 0;              // of returns
    std::deque<Cycle> credits;   // when entries of the queue become free again, in order
    u64 queued = 0;              // entries taken
    bool active = false;         // in active_
    Cycle there = 0, back = 0;   // cycles of the way to a bank, and from its service to the end
  };
  struct Vector {
    Firing* firing = nullptr;
    Cycle arrived = 0;
    u32 channel = 0, bank = 0;
    u32 index = 0;   // in its firing
    u32 returns = 0; // place in the channel's ring
  };

  [[nodiscard]] static u32 channel_of(u64 ticket, std::size_t channels) { return static_cast<u32>(ticket % channels); }
  [[nodiscard]] Firing* lookup(u64 ticket);
  [[nodiscard]] Direction direction_of(u32 channel) const { return channel % 2 == 0 ? Direction::read : Direction::write; }
  /// The earliest cycle in which the channel may issue, as far as is known; never: it waits for a bank.
  [[nodiscard]] Cycle issue_time(const Channel& channel) const;
  void issue(u32 number);
  void serve();
  void serve(u32 bank);
  void step();
  /// The next cycle in which something may happen; never: nothing is under way.
  [[nodiscard]] Cycle next_cycle();

  const u32 columns_, ports_per_bank_, return_ports_;
  const u64 queue_entries_;
  const Cycle request_latency_, array_latency_, response_latency_, hop_latency_;
  std::vector<SlotCalendar>& ports_;
  std::vector<u64>& bank_accesses_;
  std::unique_ptr<BankArbiter> arbiter_;
  std::vector<Channel> channels_;           // pe * 2 + direction
  std::vector<u32> active_;                 // channels with vectors to issue, ascending
  std::vector<std::vector<Vector>> travel_;  // by cycle of arrival, a ring
  u64 travelling_ = 0;
  std::vector<std::vector<Vector>> waiting_;  // by bank
  u64 waiting_banks_ = 0;                     // a bit for each bank
  std::vector<Cycle> returned_at_;            // by PE: the last cycle in which one of its loads was served,
  std::vector<u32> returned_;                 // and how many then
  std::vector<BankArbiter::Request> requests_;
  std::vector<std::size_t> request_index_;
  std::vector<u64> seen_;  // by channel: the search in which it was seen
  u64 search_ = 0;
  Cycle now_ = 0;  // the first cycle that has not been worked out
  u64 firings_ = 0;
  std::vector<std::unique_ptr<Firing>> spare_;
  Observer observer_;
};

}  // namespace bvp
