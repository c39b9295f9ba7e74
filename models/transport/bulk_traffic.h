// SPDX-License-Identifier: Apache-2.0
// Payload extensions of loosely timed traffic. An initiator in fast mode times a sample of its accesses and reports the
// rest as an amount (BulkTraffic), moves data without taking time (BulkData), or leaves the data of timed accesses
// unmoved (TimingOnly).
#pragma once

#include <cstddef>
#include <tlm>

#include "models/base/types.h"

namespace bvp {

/// An amount of traffic. It travels with a payload of TLM_IGNORE_COMMAND to the target's address. The target and the
/// blocks on the way count it; it takes no time, and the payload's data pointer is not used.
struct BulkTraffic : tlm::tlm_extension<BulkTraffic> {
  /// The number of the address pattern. A SampledTraffic with the same number is a sample of this traffic, so a target
  /// may scale the counts of the sample to this amount.
  u64 pattern = 0;
  bool write = false;
  u64 requests = 0, bytes = 0;
  /// All addresses that the transfer touches lie in a range of this many bytes from the payload's address on. A target
  /// that does not have the whole range answers with an address error.
  u64 span = 1;
  /// The traffic has lasted for this long, up to the present. Several amounts that are reported at the same time carry
  /// the same duration.
  sc_core::sc_time duration;

  [[nodiscard]] tlm_extension_base* clone() const override { return new BulkTraffic(*this); }
  void copy_from(const tlm_extension_base& other) override { *this = static_cast<const BulkTraffic&>(other); }
};

/// Travels with timed reads and writes: they are the sample of a pattern whose other accesses are reported as
/// BulkTraffic.
struct SampledTraffic : tlm::tlm_extension<SampledTraffic> {
  u64 pattern = 0;

  [[nodiscard]] tlm_extension_base* clone() const override { return new SampledTraffic(*this); }
  void copy_from(const tlm_extension_base& other) override { *this = static_cast<const SampledTraffic&>(other); }
};

/// Travels with a payload of TLM_IGNORE_COMMAND. The payload's data are the bytes of several runs of addresses in one
/// target, one run after the other. The target reads or writes them at once and counts nothing.
struct BulkData : tlm::tlm_extension<BulkData> {
  struct Run {
    u64 distance;  ///< of its first byte, from the payload's address, modulo 2^64
    u32 bytes;
  };
  bool write = false;
  const Run* runs = nullptr;
  std::size_t count = 0;
  bool done = false;  ///< set by a target that knows this extension

  [[nodiscard]] tlm_extension_base* clone() const override { return new BulkData(*this); }
  void copy_from(const tlm_extension_base& other) override { *this = static_cast<const BulkData&>(other); }
};

/// Travels with reads and writes that are timed and counted but whose data are not needed: the target neither reads nor
/// writes its memory or the data pointer.
struct TimingOnly : tlm::tlm_extension<TimingOnly> {
  [[nodiscard]] tlm_extension_base* clone() const override { return new TimingOnly; }
  void copy_from(const tlm_extension_base&) override {}
};

}  // namespace bvp
