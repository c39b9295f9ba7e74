// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/physical_memory_protection.h"

namespace bvp {
namespace {

constexpr unsigned address_shift = 2, address_bits = 54;
constexpr unsigned grain = 10;  // G of the specification: regions of 2^(G + 2) bytes
constexpr u64 below_grain = (u64{1} << grain) - 1;
constexpr unsigned mode_shift = 3;
constexpr u8 lock = 0x80, mode_bits = 3U << mode_shift;
constexpr u64 last_address = ~u64{0};

/// A configuration of which only what is implemented is kept.
u8 legal(u8 value) {
  using Pmp = PhysicalMemoryProtection;
  u8 kept = value & (lock | mode_bits);
  const unsigned asked = value & Pmp::all_rights;
  const bool reserved = (asked & (Pmp::read | Pmp::write)) == Pmp::write;
  if (asked == Pmp::read) {
    kept |= Pmp::read;
  } else if (asked != 0 && !reserved) {
    kept |= Pmp::all_rights;
  }
  constexpr u8 four_bytes = 2U << mode_shift;  // a region below the grain
  if ((kept & mode_bits) == four_bytes) kept |= mode_bits;
  return kept;
}

}  // namespace

PhysicalMemoryProtection::Mode PhysicalMemoryProtection::mode(unsigned entry) const {
  return static_cast<Mode>((configurations_[entry] & mode_bits) >> mode_shift);
}

bool PhysicalMemoryProtection::locked(unsigned entry) const { return (configurations_[entry] & lock) != 0; }

u64 PhysicalMemoryProtection::configuration() const {
  u64 value = 0;
  for (unsigned entry = 0; entry < entries; ++entry) value |= u64{configurations_[entry]} << 8 * entry;
  return value;
}

void PhysicalMemoryProtection::set_configuration(u64 value) {
  for (unsigned entry = 0; entry < entries; ++entry) {
    if (!locked(entry)) configurations_[entry] = legal(static_cast<u8>(value >> 8 * entry));
  }
}

u64 PhysicalMemoryProtection::address(unsigned entry) const {
  if (mode(entry) == Mode::power_of_two) return addresses_[entry] | below_grain >> 1;
  return addresses_[entry] & ~below_grain;
}

void PhysicalMemoryProtection::set_address(unsigned entry, u64 value) {
  const unsigned next = entry + 1;
  // A locked entry whose range begins here keeps its beginning.
  const bool kept = next < entries && locked(next) && mode(next) == Mode::top_of_range;
  if (!locked(entry) && !kept) addresses_[entry] = value & ((u64{1} << address_bits) - 1);
}

std::optional<PhysicalMemoryProtection::Range> PhysicalMemoryProtection::range(unsigned entry) const {
  switch (mode(entry)) {
    case Mode::top_of_range: {
      const u64 first = entry == 0 ? 0 : addresses_[entry - 1] & ~below_grain;
      const u64 end = addresses_[entry] & ~below_grain;
      if (first >= end) return std::nullopt;
      return Range{first << address_shift, (end << address_shift) - 1};
    }
    case Mode::power_of_two: {
      // The lowest 0 of the address says how large the region is.
      const u64 value = addresses_[entry] | below_grain >> 1, ones = value ^ (value + 1);
      const u64 first = (value & ~ones) << address_shift;
      const bool all = ones >> address_bits != 0;
      return all ? Range{0, last_address} : Range{first, first + (ones << address_shift | 3)};
    }
    case Mode::off:
      break;
  }
  return std::nullopt;
}

bool PhysicalMemoryProtection::in_force() const {
  for (unsigned entry = 0; entry < entries; ++entry) {
    if (locked(entry)) return true;
  }
  return false;
}

unsigned PhysicalMemoryProtection::rights(u64 address) const {
  for (unsigned entry = 0; entry < entries; ++entry) {
    const auto covered = range(entry);
    if (!covered || address < covered->first || address > covered->last) continue;
    return locked(entry) ? configurations_[entry] & all_rights : all_rights;
  }
  return all_rights;
}

bool PhysicalMemoryProtection::allows(u64 address, u64 bytes, unsigned needed) const {
  return (rights(address) & rights(address + bytes - 1) & needed) == needed;
}

std::vector<u64> PhysicalMemoryProtection::boundaries() const {
  std::vector<u64> places;
  for (unsigned entry = 0; entry < entries; ++entry) {
    const auto covered = range(entry);
    if (!covered) continue;
    places.push_back(covered->first);
    if (covered->last != last_address) places.push_back(covered->last + 1);
  }
  return places;
}

}  // namespace bvp
