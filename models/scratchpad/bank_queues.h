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
    bool listed = false;       // in done() when it is done
    std::size_t issued = 0, served = 0;
    Cycle issue_end = 0;      // one past the last issue so far
    Cycle end = 0;            // when the last of those served so far is done
    u64 conflict_cycles = 0;  // waited for banks and the return port
    u64 blocked_cycles = 0;   // not issued because too many were under way
    [[nodiscard]] bool all_issued() const { return issued == banks.size(); }
    [[nodiscard]] bool done() const { return served == banks.size(); }
  };

  /// @param ports  of the banks, bank * parameters.ports + port; what others have reserved there goes first
  BankQueues(const ArrayParameters& array, const ScratchpadParameters& parameters, std::vector<SlotCalendar>& ports,
             std::vector<u64>& bank_accesses);

  /// A firing begins at `start`. Calls come in the order of the simulated time as long as vectors are under way. The
  /// caller fills in `banks`, at least one, and may fill in `times` and `listed`, and then calls begun().
  Firing& begin(u32 pe, Direction direction, Cycle start);
  void begun(const Firing& firing);
  /// Works out all cycles before `now`.
  void advance(Cycle now);
  /// Works out as many cycles as it takes until this firing is done, and reserves ports in them.
  void finish(const Firing& firing);
  /// Null: there is none, or it has been forgotten.
  [[nodiscard]] const Firing* find(u64 ticket) const;
  /// Of one that is done.
  void forget(u64 ticket);
  /// The earliest cycles in which a firing may have issued all and may be done; exact when it has and is.
  [[nodiscard]] Cycle issue_end(const Firing& firing) const;
  [[nodiscard]] Cycle end(const Firing& firing) const;

  /// Tickets of the listed firings that are done. The caller forgets them and clears the list.
  [[nodiscard]] std::vector<u64>& done() { return done_; }
  static constexpr Cycle never = ~Cycle{0};
  /// The earliest cycle in which a listed firing may end that is not done; never: there is none.
  [[nodiscard]] Cycle next_end();
  [[nodiscard]] u32 pe_of(u64 ticket) const { return static_cast<u32>(ticket % channels_.size()) / 2; }

  [[nodiscard]] Cycle to_bank(u32 pe) const { return request_latency_ + Cycle{pe % columns_} * hop_latency_; }
  [[nodiscard]] Cycle from_bank(u32 pe, Direction direction) const {
    return array_latency_ +
           (direction == Direction::read ? response_latency_ + Cycle{pe % columns_} * hop_latency_ : 0);
  }

  /// Called for each vector served, with its PE and bank.
  using Observer = std::function<void(u32 pe, Direction direction, u32 bank, Cycle cycle)>;
  void set_observer(Observer observer) { observer_ = std::move(observer); }

 private:
  static constexpr u32 nothing = ~u32{0};

  /// The loads or the stores of one PE.
  struct Channel {
    std::deque<std::unique_ptr<Firing>> firings;
    std::size_t issuing = 0;     // of firings: the first that has not issued all
    Cycle next_issue = 0;        // one issues a cycle
    std::vector<Cycle> returns;  // of the last vectors issued, a ring; never: not served yet
    u32 oldest = 0;              // of returns
    std::vector<Cycle> credits;  // when entries of the queue become free again, in order, a ring
    u32 first_credit = 0, credit_count = 0;
    u32 queued = 0;             // entries taken
    Cycle there = 0, back = 0;  // cycles of the way to a bank, and from its service to the end
  };
  /// One that has been issued and not been served.
  struct Vector {
    Firing* firing = nullptr;
    Cycle arrived = 0;   // at the bank
    u32 index = 0;       // in its firing
    u32 returns = 0;     // place in the channel's ring
    u32 next = nothing;  // of the channel's, to the same bank
  };
  /// Those of a channel to a bank, in the order of their issue.
  struct Line {
    u32 first = nothing, last = nothing;
  };

  [[nodiscard]] u32 channel_of(const Firing& firing) const {
    return static_cast<u32>(firing.ticket % channels_.size());
  }
  [[nodiscard]] static Direction direction_of(u32 channel) {
    return channel % 2 == 0 ? Direction::read : Direction::write;
  }
  [[nodiscard]] const Firing* first_not_done(u32 channel) const;
  /// Brings issue_at_ up to date.
  void plan_issue(u32 channel);
  void activate(u32 channel);
  void issue(u32 channel);
  void arrive(u32 channel, u32 bank);
  void serve(u32 bank, bool reserves);
  void serve_one(u32 bank, u32 channel);
  /// Works out the cycle now_.
  void step(bool reserves);
  /// The next cycle in which something may happen; never: nothing is under way.
  [[nodiscard]] Cycle next_cycle() const;

  const u32 columns_, ports_per_bank_, return_ports_;
  const u32 queue_entries_;
  const Cycle request_latency_, array_latency_, response_latency_, hop_latency_;
  std::vector<SlotCalendar>& ports_;
  std::vector<u64>& bank_accesses_;
  std::unique_ptr<BankArbiter> arbiter_;
  std::vector<Channel> channels_;  // pe * 2 + direction
  const std::size_t words_;        // of a set with a bit for each channel
  std::vector<u64> active_;        // channels with vectors to issue
  std::vector<Cycle> issue_at_;    // by channel: when the next may be issued; never: it waits for a bank
  const Cycle travel_mask_;
  std::vector<u64> travel_;      // by cycle of arrival, a ring of sets
  std::vector<u8> travel_bank_;  // by cycle of arrival and channel
  u32 travelling_ = 0;
  std::vector<Vector> vectors_;
  std::vector<u32> free_;                             // of vectors_
  std::vector<Line> lines_;                           // bank * channels + channel
  std::vector<u64> requests_;                         // by bank, a set
  std::vector<BankArbiter::Requests::Vector> first_;  // bank * channels + channel: the first that has arrived
  u64 waiting_banks_ = 0;                             // a bit for each bank
  std::vector<u64> blocked_;                          // channels whose PE gets no more in this cycle
  std::vector<u64> eligible_;
  std::vector<u32> returned_;  // by PE: its loads served in this cycle, if there may be several
  std::vector<u32> returned_to_;
  Cycle now_ = 0;  // the first cycle that has not been worked out
  u64 firings_ = 0;
  std::vector<u64> done_;
  std::vector<Cycle>
      end_at_;  // by channel: when its first listed firing that is not done may end; never: there is none
  std::vector<std::unique_ptr<Firing>> spare_;
  Observer observer_;
};

}  // namespace bvp
