// SPDX-License-Identifier: Apache-2.0
// The ring of commands in memory, and the commands that have been read from it but not given to the dispatcher yet.
#pragma once

#include <deque>
#include <optional>

#include "models/abi/records.h"
#include "models/base/statistics.h"
#include "models/sequencer/sequencer_ports.h"

namespace bvp {

/// Indices count commands, modulo the ring's entries. HEAD, which firmware reads, is the index of the next command to
/// be requested minus the number of requested commands that have not arrived. Commands are handed out in the order of
/// the ring.
class CommandRing {
 public:
  struct Fetched {
    Command command{};
    Cycle ready = 0;      ///< cycle of its arrival, which is never before that of earlier commands
    u64 address = 0;      ///< address of the command in memory
    bool failed = false;  ///< a bus error occurred
  };

  /// @param ahead  the greatest number of commands that are on the bus or wait to be taken
  CommandRing(std::size_t ahead, Counter& bytes_read) : ahead_(ahead), bytes_read_(bytes_read) {}

  [[nodiscard]] u64 base() const { return base_; }
  [[nodiscard]] u32 entries() const { return entries_; }
  [[nodiscard]] u32 tail() const { return tail_; }
  /// @param elapsed  whole cycles since the start of the simulation
  [[nodiscard]] u32 head(Cycle elapsed) const;
  /// Whether commands have been requested that are not taken yet.
  [[nodiscard]] bool in_flight() const { return !fetched_.empty(); }
  /// Whether commands are left to request.
  [[nodiscard]] bool has_more() const { return next_ != tail_; }

  /// Set the place of the ring and empty it. They return false and change nothing if the base is not a multiple of 64,
  /// or if the number of entries is not a power of two from 2 to 65536.
  [[nodiscard]] bool set_base(u64 base);
  [[nodiscard]] bool set_entries(u32 entries);
  /// The doorbell. Returns false and changes nothing if the index is not in the ring.
  [[nodiscard]] bool set_tail(u32 tail);
  /// Forbids requests before this cycle.
  void wait_until(Cycle cycle) { not_before_ = cycle; }
  /// HEAD = TAIL = 0; commands in flight are dropped.
  void clear();

  /// Requests as many commands as may be on their way. Returns true if it has requested at least one.
  bool fetch(Cycle now, SequencerPorts& ports);
  /// Takes the next command; nullopt if none has arrived.
  [[nodiscard]] std::optional<Fetched> take(Cycle now);

  /// The cycle in which the next command arrives; `never` if none is on its way.
  [[nodiscard]] Cycle next_arrival() const;
  /// The cycle from which on commands can be requested; `never` if none is left.
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
