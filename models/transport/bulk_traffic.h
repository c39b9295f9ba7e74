// SPDX-License-Identifier: Apache-2.0
// Loosely timed traffic: data that an initiator moves without time, how much it was, or that it does not want any.
#pragma once

#include <cstddef>
#include <tlm>

#include "models/base/types.h"

namespace bvp {

/// Travels with a payload of TLM_IGNORE_COMMAND to the target's address; it is counted there and on the way, takes no
/// time, and the payload's data is not looked at.
struct BulkTraffic : tlm::tlm_extension<BulkTraffic> {
  /// The same number: the same pattern of addresses as that of a SampledTraffic, so that a target may count it
  /// likewise.
  u64 pattern = 0;
  bool write = false;
  u64 requests = 0, bytes = 0;
  /// From the payload's address on: all that the transfer touches lies within. A target that has less refuses it with
  /// an address error.
  u64 span = 1;
  /// It has gone on for so long until now; the same for all that is said at one time.
  sc_core::sc_time duration;

  [[nodiscard]] tlm_extension_base* clone() const override { return new BulkTraffic(*this); }
  void copy_from(const tlm_extension_base& other) override { *this = static_cast<const BulkTraffic&>(other); }
};

/// Travels with reads and writes that are timed: they are a sample of a pattern whose bulk is not.
struct SampledTraffic : tlm::tlm_extension<SampledTraffic> {
  u64 pattern = 0;

  [[nodiscard]] tlm_extension_base* clone() const override { return new SampledTraffic(*this); }
  void copy_from(const tlm_extension_base& other) override { *this = static_cast<const SampledTraffic&>(other); }
};

/// Travels with a payload of TLM_IGNORE_COMMAND whose data are those of runs of bytes of one target, one behind the
/// other. They are read or written at once; nothing is counted.
struct BulkData : tlm::tlm_extension<BulkData> {
  struct Run {
    u64 distance;  ///< of its first byte from the payload's address, modulo 2^64
    u32 bytes;
  };
  bool write = false;
  const Run* runs = nullptr;
  std::size_t count = 0;
  bool done = false;  ///< set by a target that knows this extension

  [[nodiscard]] tlm_extension_base* clone() const override { return new BulkData(*this); }
  void copy_from(const tlm_extension_base& other) override { *this = static_cast<const BulkData&>(other); }
};

/// Travels with reads and writes that are timed and counted and whose data do not matter: targets leave both sides
/// alone.
struct TimingOnly : tlm::tlm_extension<TimingOnly> {
  [[nodiscard]] tlm_extension_base* clone() const override { return new TimingOnly; }
  void copy_from(const tlm_extension_base&) override {}
};

}  // namespace bvp
