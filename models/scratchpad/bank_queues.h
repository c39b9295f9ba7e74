// SPDX-License-Identifier: Apache-2.0
// The way of the PEs' vectors to the banks of the scratchpad: who issues, waits and is served in which cycle. It is
// worked out when someone asks, up to the cycle in question, and only while vectors are under way.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "models/base/array_parameters.h"
#include "models/base/signal.h"
#include "models/base/slot_calendar.h"
#include "models/base/types.h"
#include "models/scratchpad/bank_arbiters.h"
#include "models/scratchpad/scratchpad_parameters.h"

namespace bvp {

/// The ports of all banks, and what others than BankQueues have reserved there.
struct BankPorts {
  BankPorts(const ScratchpadParameters& parameters, u64 window)
      : per_bank(static_cast<u32>(parameters.ports)),
        calendars(static_cast<std::size_t>(parameters.banks * parameters.ports), SlotCalendar(window)),
        reserved_until(static_cast<std::size_t>(parameters.banks), 0) {}

  /// The first cycle at or after `earliest` in which a port of the bank is free, which is taken then.
  Cycle reserve(u32 bank, Cycle earliest);
  /// The first cycle at or after `earliest` in which a port of the bank is free; no port is taken.
  [[nodiscard]] Cycle probe(u32 bank, Cycle earliest) const {
    const SlotCalendar* const ports = &calendars[std::size_t{bank} * per_bank];
    Cycle cycle = ports->probe(earliest);
    for (u32 i = 1; i < per_bank && cycle > earliest; ++i) cycle = std::min(cycle, ports[i].probe(earliest));
    return cycle;
  }

  u32 per_bank;
  std::vector<SlotCalendar> calendars;  // bank * per_bank + port
  std::vector<Cycle> reserved_until;    // by bank: no port is taken from this cycle on
};

class BankQueues {
 public:
  enum class Direction : u8 { read, write };

  /// A Load or Store firing of one PE, whose vectors wait in the queues or have been served.
  struct QueuedFiring {
    u64 ticket = 0;
    Cycle start = 0;
    std::vector<u8> banks;     // of the vectors, in the order of issue
    std::vector<Cycle> times;  // read: when the data can be used; write: a vector is not issued before; or empty
    bool listed = false;       // in done() when it is done
    // Vectors whose cycle of issue is known, which may be still to come, and those that have been served.
    std::size_t issued = 0, served = 0;
    Cycle issue_end = 0;      // one past the last issue that is known
    Cycle end = 0;            // when the last of those served so far is done
    u64 conflict_cycles = 0;  // waited for banks and the return port
    u64 blocked_cycles = 0;   // not issued because too many were under way
    [[nodiscard]] bool all_issued() const { return issued == banks.size(); }
    [[nodiscard]] bool done() const { return served == banks.size(); }

   private:
    friend class BankQueues;
    u32 channel = 0;
    QueuedFiring *before = nullptr, *behind = nullptr;  // of the channel, in the order in which they began
  };

  BankQueues(const ArrayParameters& array, const ScratchpadParameters& parameters, BankPorts& ports,
             std::vector<u64>& bank_accesses);

  /// Adds a firing that begins at `start`. Calls come in the order of the simulated time as long as vectors are under
  /// way. The caller fills in `banks`, at least one entry, and may fill in `times` and `listed`, and then calls
  /// begun().
  QueuedFiring& begin(u32 pe, Direction direction, Cycle start);
  /// The firing of begin() is complete. @return  as end()
  Cycle begun(QueuedFiring& firing);
  /// Works out all cycles before `now`.
  void advance(Cycle now) {
    if (now_ < now) run(now, nullptr);
  }
  /// Works out as many cycles as it takes until this firing is done, and reserves ports in them.
  void finish(const QueuedFiring& firing) { run(never, &firing); }
  /// The firing with this ticket; null: there is none, or it has been forgotten.
  [[nodiscard]] const QueuedFiring* find(u64 ticket) const;
  /// Forgets a firing that is done.
  void forget(u64 ticket);
  /// The earliest cycles in which a firing may have issued all its vectors, and in which all of them may be done. The
  /// cycles are exact once the firing has got there.
  [[nodiscard]] Cycle issue_end(const QueuedFiring& firing) const;
  [[nodiscard]] Cycle end(const QueuedFiring& firing) const;

  /// Tickets of the listed firings that are done. The caller forgets them and clears the list.
  [[nodiscard]] std::vector<u64>& done() { return done_; }
  static constexpr Cycle never = ~Cycle{0};
  /// The earliest cycle in which a listed firing may end that is not done; never: no listed firing is under way.
  [[nodiscard]] Cycle next_end();
  [[nodiscard]] static u32 pe_of(const QueuedFiring& firing) { return firing.channel / 2; }

  [[nodiscard]] Cycle to_bank(u32 pe) const {
    return shape_.request_latency + Cycle{pe % shape_.columns} * shape_.hop_latency;
  }
  [[nodiscard]] Cycle from_bank(u32 pe, Direction direction) const {
    return shape_.array_latency + (direction == Direction::read
                                       ? shape_.response_latency + Cycle{pe % shape_.columns} * shape_.hop_latency
                                       : 0);
  }

  /// Emitted for each vector that a bank serves, with its PE, its bank and the cycle.
  using Served = Signal<u32, Direction, u32, Cycle>;
  Served served;

 private:
  /// A vector that is under way: a place in its channel's window, by number modulo the size of the window. When it has
  /// been served `done` stays until the place is used again.
  struct Vector {
    Cycle arrived = 0;  // at the bank
    Cycle done = 0;     // never: not served yet
    QueuedFiring* firing = nullptr;
    Cycle* time = nullptr;     // where `done` is wanted; null: nowhere
    Vector* behind = nullptr;  // the channel's next one to the same bank
  };
  /// The loads or the stores of one PE.
  struct Channel {
    QueuedFiring* issuing = nullptr;    // the first firing that has vectors whose issue is not known
    const u8* banks = nullptr;          // the banks of these vectors
    const Cycle* not_before = nullptr;  // the earliest issue of each of these vectors; null: none has one
    Cycle* times = nullptr;             // where the cycles of these vectors are wanted; null: nowhere
    u64 left = 0;                       // the number of these vectors
    u64 issued = 0, served = 0;         // of all vectors
    Cycle next_issue = 0;               // a vector issues in each cycle, none before its firing begins
    Cycle there = 0, back = 0,
          free = 0;  // from issue to bank; from service to the end, and to a free entry of the queue
    Vector* window = nullptr;
    Cycle* served_at = nullptr;
    u64 bit = 0;  // in a set of channels
    u32 word = 0;
    bool reads = false;
    QueuedFiring *first = nullptr, *last = nullptr;  // the firings that are not forgotten
    u32 firings = 0;
  };
  /// Vectors of a channel to a bank that are under way, in the order of their issue.
  struct Line {
    Vector *first = nullptr, *last = nullptr;
  };

  [[nodiscard]] bool is_idle() const {
    return waiting_banks_ == 0 && arrivals_.cycles == 0 && arrivals_.far_at == never;
  }
  /// Sets the firing whose vectors the channel issues next; null: there is none.
  void take_up(Channel& channel, QueuedFiring* firing);
  /// Places the vectors of the channel whose cycle of issue is known.
  void issue(u32 channel);
  void issue_far();
  /// The first cycle, at or after now_, in which a vector arrives or can be placed.
  [[nodiscard]] Cycle next_arrival() const;
  void forget(QueuedFiring& firing);

  /// Works out all cycles before `until`, or only as many as it takes until this firing is done.
  void run(Cycle until, const QueuedFiring* awaited);
  /// The number of words of a set of channels is a constant for speed; 0: shape_.words.
  template <u32 constant_words, class Arbiter>
  void run(Arbiter& arbiter, Cycle until, const QueuedFiring* awaited);
  template <u32 constant_words, class Arbiter>
  void serve(Arbiter& arbiter, u32 bank, bool reserves);
  /// Whether a port of the bank is free in this cycle, which is then reserved if the caller wants it.
  [[nodiscard]] bool has_port(u32 bank, u32 port, bool reserves);
  void serve_one(u32 bank, u32 channel);

  struct Shape {
    u32 columns = 0, channels = 0, banks = 0;
    u32 words = 0;  // of a set with a bit for each channel
    u32 return_ports = 0, queue_entries = 0, outstanding = 0;
    Cycle request_latency = 0, array_latency = 0, response_latency = 0, hop_latency = 0;
    u64 window_mask = 0, queue_mask = 0;  // sizes of the rings of a channel, powers of two, minus 1
  };
  [[nodiscard]] static Shape shape_of(const ArrayParameters& array, const ScratchpadParameters& parameters);

  const Shape shape_;
  BankPorts& ports_;
  std::vector<u64>& bank_accesses_;
  BankArbiter arbiter_;
  std::vector<Channel> channels_;       // pe * 2 + direction
  static constexpr u32 most_words = 8;  // 16 x 16 PEs

  // Rings by channel.
  std::vector<Vector> vectors_;   // by number of the vector
  std::vector<Cycle> served_at_;  // by number in the order of service: the cycle

  static constexpr Cycle horizon = 64;
  /// Vectors on their way by the cycle of their arrival, a ring of `horizon` cycles from now_ on.
  struct Arrivals {
    Arrivals(std::size_t sets, std::size_t words) : channels(sets, 0), far(words, 0) {}
    std::vector<u64> channels;         // (cycle * banks + bank) * words, a set of channels
    std::array<u64, horizon> banks{};  // by cycle, the set of banks to which a vector comes
    u64 cycles = 0;                    // the set of cycles in which a vector comes
    std::vector<u64> far;              // a set of channels whose next vector comes later
    Cycle far_at = ~Cycle{0};          // when the first vector of `far` can be placed; never: there is none
  };
  Arrivals arrivals_;

  std::vector<Line> lines_;           // channel * banks + bank
  std::vector<u64> requests_;         // by bank, a set of channels
  u64 waiting_banks_ = 0;             // a bit for each bank
  std::vector<u64> blocked_;          // channels whose PE gets no more in this cycle
  std::vector<WaitingVector> first_;  // of one bank, by channel, for arbiters that compare them
  std::vector<u32> returned_;         // by PE: its loads served in this cycle, if there may be several
  std::vector<u32> returned_to_;
  Cycle now_ = 0;  // the first cycle that has not been worked out
  u64 firings_ = 0;
  std::vector<u64> done_;
  std::vector<u64> listed_;                          // a set of channels with listed firings that are not done
  std::vector<Cycle> end_at_;                        // by channel, of those: when the first of these may end
  std::vector<std::unique_ptr<QueuedFiring>> pool_;  // by place, which a ticket tells
  std::vector<u32> unused_;                          // places there
};

}  // namespace bvp
