// SPDX-License-Identifier: Apache-2.0
// The ring of commands in memory, and the commands that are on their way from it to the dispatcher.
#pragma once

#include <deque>
#include <optional>

#include "models/abi/records.h"
#include "models/base/statistics.h"
#include "models/sequencer/sequencer_ports.h"

namespace bvp {

/// Indices count commands, modulo the ring's entries. HEAD, which firmware reads, is behind the index of the next
/// request by the commands that have not arrived. Commands are handed out in the order of the ring.
class CommandRing {
 public:
  struct Fetched {
    Command command{};
    Cycle ready = 0;      ///< when it arrives, not before those in front of it
    u64 address = 0;      ///< of the command in memory
    bool failed = false;  ///< bus error
  };

  /// @param ahead  commands on the bus or not yet taken, at most
  CommandRing(std::size_t ahead, Counter& bytes_read) : ahead_(ahead), bytes_read_(bytes_read) {}

  [[nodiscard]] u64 base() const { return base_; }
  [[nodiscard]] u32 entries() const { return entries_; }
  [[nodiscard]] u32 tail() const { return tail_; }
  /// @param elapsed  whole cycles since the start of the simulation
  [[nodiscard]] u32 head(Cycle elapsed) const;
  /// Commands have been asked for and not been taken.
  [[nodiscard]] bool in_flight() const { return !fetched_.empty(); }
  /// Commands are left to ask for.
  [[nodiscard]] bool has_more() const { return next_ != tail_; }

  /// They empty the ring. False, and nothing has changed: the base is no multiple of 64, or the number of entries is no
  /// power of two from 2 to 65536.
  [[nodiscard]] bool set_base(u64 base);
  [[nodiscard]] bool set_entries(u32 entries);
  /// The doorbell. False, and nothing has changed: the index is not in the ring.
  [[nodiscard]] bool set_tail(u32 tail);
  /// Nothing is fetched before this cycle.
  void wait_until(Cycle cycle) { not_before_ = cycle; }
  /// HEAD = TAIL = 0; commands in flight are dropped.
  void clear();

  /// Asks for as many commands as may be under way; true: for at least one.
  bool fetch(Cycle now, SequencerPorts& ports);
  /// Nothing: no command has arrived.
  [[nodiscard]] std::optional<Fetched> take(Cycle now);

  /// When the next command arrives; `never` if none is in flight.
  [[nodiscard]] Cycle next_arrival() const;
  /// From when on commands are asked for; `never` if none is left.
  [[nodiscard]] Cycle next_fetch() const;

 private:
  const std::size_t ahead_;
  Counter& bytes_read_;
  u64 base_ = 0;
  u32 entries_ = 0;
  u32 next_ = 0;
  u32 tail_ = 0;
  Cycle not_before_ = 0;
  std::deque<Fetched> fetched_;
};

}  // namespace bvp
