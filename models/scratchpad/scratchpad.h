// SPDX-License-Identifier: Apache-2.0
// The scratchpad: banks that hold skewed tiles, so that a row and a column of a tile are one access each; or, as a
// switch, rows alone. See docs/models/scratchpad.md.
#pragma once

#include <tlm_utils/simple_target_socket.h>

#include <optional>
#include <systemc>
#include <vector>

#include "models/base/array_parameters.h"
#include "models/base/clock.h"
#include "models/base/cycle_agenda.h"
#include "models/base/ecc_words.h"
#include "models/base/signal.h"
#include "models/base/slot_calendar.h"
#include "models/base/statistics.h"
#include "models/scratchpad/bank_bookings.h"
#include "models/scratchpad/bank_queues.h"
#include "models/scratchpad/fast/bank_turns.h"
#include "models/scratchpad/scratchpad_parameters.h"
#include "models/scratchpad/tile_memory.h"
#include "models/transport/vector_access.h"
#include "models/transport/vector_guard.h"

namespace bvp {

class Scratchpad : public sc_core::sc_module, private CycleAgenda::Client {
 public:
  /// Bytes at local offsets, 1 to max_linear_bytes a transaction.
  tlm_utils::simple_target_socket<Scratchpad> linear;
  /// One per PE, row-major: payloads with a VectorAccess.
  sc_core::sc_vector<tlm_utils::simple_target_socket_tagged<Scratchpad>> vector;

  static constexpr u32 max_linear_bytes = 4096;

  /// @param data  false: vectors are timed but not moved
  Scratchpad(sc_core::sc_module_name name, const ArrayParameters& array, const ScratchpadParameters& parameters,
             const ClockDomain& clock, CycleAgenda& agenda, StatGroup& parent_stats, bool data = true);
  ~Scratchpad() override;

  [[nodiscard]] u64 size() const { return storage_.size(); }
  /// The bank that holds the byte at `offset`.
  [[nodiscard]] u32 bank_of(u64 offset) const { return bank_of_tile_[offset >> storage_.tile_shift()]; }
  /// Rows and columns that a bank has served.
  [[nodiscard]] u64 bank_accesses(u32 bank) const { return bank_accesses_[bank]; }
  /// What all banks together can serve.
  [[nodiscard]] double rows_per_cycle() const { return static_cast<double>(bank_ports_.calendars.size()); }
  /// Cycles from the first vector's issue to its data at the PE (or in the bank) when nothing else is under way.
  [[nodiscard]] Cycle unloaded_read_latency(u32 pe) const { return unloaded_latency(pe, Direction::read); }
  [[nodiscard]] Cycle unloaded_write_latency(u32 pe) const { return unloaded_latency(pe, Direction::write); }
  /// Tells each vector of a PE that a bank serves.
  [[nodiscard]] BankQueues::Served& served() { return bookings_ ? bookings_->served : queues_.served; }
  [[nodiscard]] const StatGroup& statistics() const { return stats_; }
  /// Tells each write of vectors whose data have just been moved, and the PE that has made it, row-major; of a loosely
  /// timed write for several PEs, one of them.
  Signal<u32, const VectorAccess&> vectors_written;

  /// From now on vectors that the guard does not admit are refused; null: none are.
  void set_guard(VectorGuard* guard) { safety_.guard = guard; }

  /// Turns a bit of the byte over, as radiation does: 0 to 7. Returns false if there is no such byte.
  bool flip(u64 offset, u32 bit);
  [[nodiscard]] u64 ecc_corrected() const { return counters_.ecc_corrected.value(); }
  [[nodiscard]] u64 ecc_detected() const { return counters_.ecc_detected.value(); }

  /// For measurement, without time: whether all words of the tiles that these bytes touch are finite as fp16 values.
  [[nodiscard]] bool all_finite(u64 offset, u64 count) const { return storage_.all_finite(offset, count); }
  /// Reads bytes within size(), without time.
  void peek(u64 offset, u64 count, u8* to) { storage_.read(offset, count, to); }

 private:
  using Direction = BankQueues::Direction;

  void linear_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  /// Moves the data of BulkData or counts BulkTraffic, without time; returns false if the payload is neither.
  bool untimed_linear(tlm::tlm_generic_payload& payload);
  u32 linear_debug(tlm::tlm_generic_payload& payload);
  u32 vector_debug(int pe, tlm::tlm_generic_payload& payload);
  void vector_transport(int pe, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);

  [[nodiscard]] tlm::tlm_response_status check_linear(const tlm::tlm_generic_payload& payload) const;
  [[nodiscard]] tlm::tlm_response_status check_vectors(const tlm::tlm_generic_payload& payload,
                                                       const VectorAccess* access) const;
  /// Begins a timed transaction; `delay` grows to its end, or to its earliest possible end if the answer is deferred.
  void begin(u32 pe, Direction direction, VectorAccess& access, sc_core::sc_time& delay);
  /// Begins a timed transaction that later transactions cannot change: its end is known at once.
  void book(u32 pe, Direction direction, VectorAccess& access, sc_core::sc_time& delay);
  /// Answers a question about a transaction whose answer was deferred; returns false if it is not known.
  bool answer(VectorAccess& access, Cycle now);
  /// The banks have served all vectors of the transaction: counts what has become known, tells the initiator, and
  /// forgets the transaction.
  void complete(VectorAccess& access, const BankQueues::QueuedFiring& firing);
  /// Counts what has become known of a transaction that is done.
  void forget(const BankQueues::QueuedFiring& firing);
  /// Tells the initiators which of their transactions are done.
  void report_ends();
  void wake(Cycle now) override;

  template <u32 lanes>
  void move_vectors(const VectorAccess& access, bool read, u8* data);
  void move_vectors(const VectorAccess& access, bool read, u8* data);
  /// Moves the data of an access of this PE, and tells of them if they are written.
  void move_vectors(int pe, const VectorAccess& access, bool read, u8* data);
  void count_untimed(const VectorAccess& access, bool read);
  /// Lets the code see an access while words are wrong. Returns false if a word cannot be corrected.
  bool check_words(bool write, u64 offset, u64 bytes);
  bool check_words(bool write, const VectorAccess& access);

  [[nodiscard]] Cycle unloaded_latency(u32 pe, Direction direction) const {
    return queues_.to_bank(pe) + queues_.from_bank(pe, direction);
  }
  /// The cycles between vectors of one channel when no other channel is busy.
  [[nodiscard]] VectorAccess::Limits limits(u32 pe, Direction direction) const;

  const ClockDomain clock_;
  const u32 lanes_, row_bytes_;
  /// What the linear port moves in a cycle, and cycles to the banks, in them and back.
  struct LinearBeat {
    u32 bytes = 0;
    Cycle request_latency = 0, array_latency = 0, response_latency = 0;
  };
  const LinearBeat linear_beat_;
  /// Vectors of a PE that may wait in its queue, and that may be on their way.
  struct VectorPort {
    u32 queue_entries = 0, most_under_way = 0;
  };
  const VectorPort vector_port_;
  const bool column_access_, data_;

  StatGroup stats_;
  struct Counters {
    explicit Counters(StatGroup* group);
    Counter vector_reads, vector_writes, column_accesses, conflict_cycles, outstanding_cycles;
    Counter linear_bytes_read, linear_bytes_written, linear_conflict_cycles;
    Counter ecc_corrected, ecc_detected;
  };
  Counters counters_;

  TileMemory storage_;
  std::vector<u8> bank_of_tile_;
  BankPorts bank_ports_;
  std::vector<u64> bank_accesses_;
  BankTurns turns_;
  SlotCalendar linear_port_;
  BankQueues queues_;
  std::optional<BankBookings> bookings_;            // with the arbiter oldest_firing
  std::vector<u8> banks_;                           // of the vectors of an access, in begin()
  std::vector<VectorAccess::Listener*> listeners_;  // by PE
  /// What keeps data safe.
  struct Safety {
    const bool ecc = false;
    EccWords words = {};
    VectorGuard* guard = nullptr;
  };
  Safety safety_;
  CycleAgenda& agenda_;
  const u32 agenda_number_;
};

}  // namespace bvp
