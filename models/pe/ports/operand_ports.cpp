// SPDX-License-Identifier: Apache-2.0
#include "models/pe/ports/operand_ports.h"

#include <algorithm>
#include <array>

namespace bvp {

OperandBanks::OperandBanks(const PeParameters& parameters)
    : banks_(static_cast<u32>(parameters.operand_banks)),
      ports_(static_cast<u32>(parameters.operand_ports)),
      bank_of_(static_cast<std::size_t>(parameters.operand_vectors), 0) {
  for (std::size_t vector = 0; banks_ > 1 && vector < bank_of_.size(); ++vector) {
    std::size_t bank = vector % banks_;
    for (std::size_t rest = vector / banks_; parameters.operand_bank_hash && rest != 0; rest /= banks_) {
      bank ^= rest % banks_;
    }
    bank_of_[vector] = static_cast<u8>(bank);
  }
}

// ---------------------------------------------------------------- a firing of Cal

u64 PortPattern::first_free(u32 bank, u64 earliest) const {
  u64 record = earliest / 64;
  u64 taken = at(record, bank, ports_) | ((u64{1} << (earliest % 64)) - 1);
  while (taken == ~u64{0}) taken = at(++record, bank, ports_);
  return record * 64 + static_cast<u64>(__builtin_ctzll(~taken));
}

void PortPattern::use(u32 bank, u64 cycle) {
  const u64 record = cycle / 64, bit = u64{1} << (cycle % 64);
  if ((record + 2) * planes_ > words_.size()) words_.resize((record + 2) * planes_, 0);
  u64* level = &words_[record * planes_ + bank * ports_];
  while ((*level & bit) != 0) ++level;
  *level |= bit;
  cycles_ = std::max(cycles_, cycle + 1);
}

u64 PortPattern::full() const {
  u64 sum = 0;
  for (std::size_t last = ports_ - 1; last < words_.size(); last += ports_) {
    sum += static_cast<u64>(__builtin_popcountll(words_[last]));
  }
  return sum;
}

// ---------------------------------------------------------------- all firings of a PE

OperandPorts::OperandPorts(const OperandBanks& banks)
    : banks_(banks),
      bank_count_(banks.banks()),
      ports_(banks.ports()),
      planes_(u64{banks.banks()} * banks.ports()),
      mask_(4 * kept_words - 1),
      words_((mask_ + 1) * planes_, 0) {}

void OperandPorts::begin(Cycle now) {
  const Cycle word = now / 64;
  if (word < base_ + kept_words) return;
  base_ = word - kept_words;
  end_ = std::max(end_, base_);
}

void OperandPorts::extend(Cycle end) {
  const Cycle size = mask_ + 1;
  if (end - base_ > size) {
    Cycle larger = size;
    while (end - base_ > larger) larger *= 2;
    std::vector<u64> words(larger * planes_, 0);
    for (Cycle word = base_; word < end_; ++word) {
      std::copy_n(stored(word), planes_, &words[(word & (larger - 1)) * planes_]);
    }
    words_ = std::move(words);
    mask_ = larger - 1;
  }
  for (; end_ < end; ++end_) std::fill_n(stored(end_), planes_, 0);
}

void OperandPorts::show(const PortPattern& pattern, u64 first, u64 cycles, Cycle at) const {
  for (u64 i = 0; i < cycles; ++i) {
    for (u32 bank = 0; bank < bank_count_; ++bank) {
      u32 used = 0;
      while (used < ports_ && (pattern.used(bank, used + 1, first + i) & 1) != 0) ++used;
      if (used != 0) taken(bank, at + i, used);
    }
  }
}

template <u32 constant_ports, u32 constant_banks>
OperandPorts::Placement OperandPorts::place_with(const PortPattern& pattern, Cycle start, u64 occupancy) {
  const u32 ports = constant_ports != 0 ? constant_ports : ports_;
  const u64 planes = constant_banks != 0 ? constant_banks * constant_ports : planes_;
  std::array<u64, most_planes> wanted;
  const bool told = this->taken.connected();
  Placement placement;
  Cycle now = start;
  for (u64 first = 0; first < pattern.cycles();) {
    const auto bit = static_cast<unsigned>(now % 64);
    u64 cycles = std::min<u64>(64 - bit, pattern.cycles() - first);
    u64* const taken = record(now / 64);
    const PortPattern::Window window = pattern.window(first);
    const u64 all = cycles == 64 ? ~u64{0} : (u64{1} << cycles) - 1;
    u64 missing = 0;  // cycles in which more ports are wanted than are left
    for (u64 plane = 0; plane < planes; plane += ports) {
      for (u32 own = 1; own <= ports; ++own) {
        wanted[plane + own - 1] = (window.used(plane + own - 1) & all) << bit;
        missing |= wanted[plane + own - 1] & taken[plane + ports - own];
      }
    }
    u64 mask = ~u64{0};
    if (missing != 0) {
      cycles = static_cast<u64>(__builtin_ctzll(missing)) - bit;
      mask = (missing & -missing) - 1;
    }
    for (u64 plane = 0; plane < planes; plane += ports) {
      // At least `level` ports are taken if the firing uses `own` ports and at least level - own ports were taken
      // before.
      for (u32 level = ports; level > 0; --level) {
        u64 added = wanted[plane + level - 1];
        for (u32 own = 1; own < level; ++own) added |= wanted[plane + own - 1] & taken[plane + level - own - 1];
        taken[plane + level - 1] |= added & mask;
      }
    }
    if (told) show(pattern, first, cycles, now);
    first += cycles;
    now += cycles;
    if (missing == 0) continue;
    ++now;
    ++placement.halts;
    if (first < occupancy) ++placement.issue_halts;
  }
  return placement;
}

OperandPorts::Placement OperandPorts::place(const PortPattern& pattern, Cycle start, u64 occupancy) {
  if (ports_ == 2 && bank_count_ == 4) return place_with<2, 4>(pattern, start, occupancy);
  switch (ports_) {
    case 1:
      return place_with<1, 0>(pattern, start, occupancy);
    case 2:
      return place_with<2, 0>(pattern, start, occupancy);
    default:
      return place_with<0, 0>(pattern, start, occupancy);
  }
}

}  // namespace bvp
