// SPDX-License-Identifier: Apache-2.0
// The way of the PEs' vectors to the banks of the scratchpad where the firing that began first goes first: nothing that
// begins later changes it, so a firing's vectors are placed when it begins.
#pragma once

#include <vector>

#include "models/base/array_parameters.h"
#include "models/base/slot_calendar.h"
#include "models/base/types.h"
#include "models/scratchpad/bank_queues.h"
#include "models/scratchpad/scratchpad_parameters.h"

namespace bvp {

class BankBookings {
 public:
  using Direction = BankQueues::Direction;

  /// When the vectors of a Load or Store firing are issued and done.
  struct Placed {
    Cycle issue_end = 0;      // one past the last issue
    Cycle end = 0;            // when the last vector is done
    u64 conflict_cycles = 0;  // waited for banks and the return port
    u64 blocked_cycles = 0;   // not issued because too many were under way
  };

  BankBookings(const ArrayParameters& array, const ScratchpadParameters& parameters, BankPorts& ports,
               std::vector<u64>& bank_accesses);

  /// Places a firing that begins at `start`, or a transaction that counts as one. Firings that have been placed before
  /// are older.
  /// @param banks  the bank of each vector, in the order of issue; at least one
  /// @param times  an entry for each vector, or null; of a write, an input: the vector is not issued before; of a read,
  ///        an output: the cycle from which on its data can be used
  Placed place(u32 pe, Direction direction, Cycle start, const std::vector<u8>& banks, Cycle* times);

  BankQueues::Served served;

 private:
  struct Channel {
    Cycle next_issue = 0;
    Cycle there = 0, back = 0, free = 0;  // as in BankQueues
    u32 place = 0, first = 0;             // in its rings
  };

  /// Keeps only the last queue_entries services.
  void remember(Channel& channel, Cycle* services, Cycle service) const;
  /// Takes a port of the bank, and for a read a return port, in the first cycle at or after `earliest` in which both
  /// are free. Returns that cycle.
  Cycle serve(u32 pe, bool reads, u32 bank, Cycle earliest);

  const u32 return_ports_, queue_entries_, outstanding_;
  BankPorts& ports_;
  std::vector<u64>& bank_accesses_;
  std::vector<Channel> channels_;      // pe * 2 + direction
  std::vector<Cycle> done_;            // channel * outstanding + number: of the last vectors, rings
  std::vector<Cycle> services_;        // channel * queue_entries + place: its last services, rings in ascending order
  std::vector<SlotCalendar> returns_;  // pe * return_ports + port
};

}  // namespace bvp
