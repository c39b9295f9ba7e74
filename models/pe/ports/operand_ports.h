// SPDX-License-Identifier: Apache-2.0
// Banks and ports of a PE's operand memory: which cycles of them are taken. See docs/models/pe.md, "Operand memory".
#pragma once

#include <algorithm>
#include <vector>

#include "models/base/signal.h"
#include "models/base/types.h"
#include "models/pe/pe_parameters.h"

namespace bvp {

/// Which bank of the operand memory holds a vector, and how many ports a bank has.
class OperandBanks {
 public:
  explicit OperandBanks(const PeParameters& parameters);

  [[nodiscard]] u32 banks() const { return banks_; }
  [[nodiscard]] u32 ports() const { return ports_; }
  /// @param vector  below the capacity of the operand memory
  [[nodiscard]] u32 bank_of(i64 vector) const { return bank_of_[static_cast<std::size_t>(vector)]; }
  /// The number of vectors for which bank_of() is defined.
  [[nodiscard]] i64 vectors() const { return static_cast<i64>(bank_of_.size()); }

 private:
  u32 banks_, ports_;
  std::vector<u8> bank_of_;
};

/// How many ports of each bank are used in each cycle: a firing of Cal, in cycles since its start. One record holds 64
/// cycles: for each bank one word a port, whose bit c says that at least one (two, three, ...) ports are used in cycle
/// c.
class PortPattern {
 public:
  explicit PortPattern(const OperandBanks& banks) : ports_(banks.ports()), planes_(banks.banks() * banks.ports()) {}

  /// One past the last cycle in which a port is used.
  [[nodiscard]] u64 cycles() const { return cycles_; }
  /// The first cycle at or after `earliest` in which the bank has a port left.
  [[nodiscard]] u64 first_free(u32 bank, u64 earliest) const;
  /// Uses one port of the bank in a cycle in which it has one left.
  void use(u32 bank, u64 cycle);
  /// The cycles from `first`, one below cycles(), to `first` + 63 in which at least `level` (1 or more) ports of the
  /// bank are used.
  [[nodiscard]] u64 used(u32 bank, u32 level, u64 first) const { return window(first).used(bank * ports_ + level - 1); }

  /// How many pairs of a bank and a cycle have all ports used.
  [[nodiscard]] u64 full() const;

  /// 64 cycles of all banks.
  struct Window {
    const u64 *low, *high;
    u64 shift;
    /// @param plane  bank * ports + level - 1
    [[nodiscard]] u64 used(u64 plane) const {
      // In two steps, as a word cannot be shifted by 64.
      return low[plane] >> shift | high[plane] << 1 << (63 - shift);
    }
  };
  [[nodiscard]] Window window(u64 first) const {
    const u64* const low = words_.data() + first / 64 * planes_;
    return {low, low + planes_, first % 64};
  }
  void shrink() { words_.shrink_to_fit(); }

 private:
  [[nodiscard]] u64 at(u64 record, u32 bank, u32 level) const {
    const u64 index = record * planes_ + bank * ports_ + level - 1;
    return index < words_.size() ? words_[index] : 0;
  }

  u32 ports_;
  u64 planes_;
  u64 cycles_ = 0;
  std::vector<u64> words_;  // with an empty record behind the last one
};

/// The ports of one operand memory over time. Accesses are placed firing by firing in the order in which the firings
/// begin, and what is placed stays: of two firings that ask for a port in the same cycle the older one gets it.
class OperandPorts {
 public:
  explicit OperandPorts(const OperandBanks& banks);

  /// Tells that a firing begins or that vectors arrive at `now`: accesses that lie long before that may be forgotten.
  void begin(Cycle now);

  /// Takes a port of the vector's bank in the first cycle at or after `earliest` in which one is left; returns that
  /// cycle.
  Cycle access(i64 vector, Cycle earliest) {
    const Cycle cycle = take(banks_.bank_of(vector), earliest);
    if (taken.connected()) taken(banks_.bank_of(vector), cycle, 1);
    return cycle;
  }

  struct Placement {
    Cycle issue_halts = 0;  ///< cycles by which the firing's last instruction issues later than without other accesses
    Cycle halts = 0;        ///< cycles by which its last result is written later
  };
  /// Takes the ports of a firing of Cal that begins at `start`. In a cycle in which a port is missing the whole firing
  /// halts, and everything after that cycle comes one cycle later.
  /// @param occupancy  cycles of the pattern in which the firing issues instructions
  Placement place(const PortPattern& pattern, Cycle start, u64 occupancy);

  /// Tells for each bank and cycle how many ports of the bank are taken.
  using Taken = Signal<u32, Cycle, u32>;
  Taken taken;

 private:
  /// Cycles that are remembered from begin() back; what is asked for earlier is served from there on.
  static constexpr Cycle kept_words = 8;
  /// No operand memory has more banks or ports than these.
  static constexpr std::size_t most_planes = 512;

  [[nodiscard]] u64* record(Cycle word) {
    if (word >= end_) extend(word + 1);
    return stored(word);
  }
  Cycle take(u32 bank, Cycle earliest) {
    earliest = std::max(earliest, base_ * 64);
    Cycle word = earliest / 64;
    u64* levels = record(word) + bank * ports_;
    u64 bit = u64{1} << (earliest % 64);
    if ((levels[ports_ - 1] & bit) != 0) {
      u64 taken = levels[ports_ - 1] | (bit - 1);
      while (taken == ~u64{0}) {
        levels = record(++word) + bank * ports_;
        taken = levels[ports_ - 1];
      }
      bit = ~taken & (taken + 1);
      earliest = word * 64 + static_cast<Cycle>(__builtin_ctzll(bit));
    }
    while ((*levels & bit) != 0) ++levels;
    *levels |= bit;
    return earliest;
  }
  [[nodiscard]] u64* stored(Cycle word) { return &words_[(word & mask_) * planes_]; }
  void extend(Cycle end);
  /// The number of ports is a template argument, so that the compiler knows it; 0: the number is ports_.
  template <u32 constant_ports, u32 constant_banks>
  Placement place_with(const PortPattern& pattern, Cycle start, u64 occupancy);
  void show(const PortPattern& pattern, u64 first, u64 cycles, Cycle at) const;

  const OperandBanks& banks_;
  const u32 bank_count_, ports_;
  const u64 planes_;
  u64 mask_;
  std::vector<u64> words_;  // records as those of PortPattern, a ring
  Cycle base_ = 0;          // first record remembered
  Cycle end_ = 0;           // one past the last record remembered
};

}  // namespace bvp
