// SPDX-License-Identifier: Apache-2.0
// Loosely timed traffic: an initiator that has moved data through direct memory pointers says how much it was.
#pragma once

#include <tlm>

#include "models/common/types.h"

namespace bvp {

/// Travels with a payload of TLM_IGNORE_COMMAND to the target's address; it is counted there and on the way, takes no
/// time, and the payload's data is not looked at.
struct BulkTraffic : tlm::tlm_extension<BulkTraffic> {
  bool write = false;
  u64 requests = 0, bytes = 0;
  /// It has gone on for so long until now; the same for all that is said at one time.
  sc_core::sc_time duration;

  [[nodiscard]] tlm_extension_base* clone() const override { return new BulkTraffic(*this); }
  void copy_from(const tlm_extension_base& other) override { *this = static_cast<const BulkTraffic&>(other); }
};

}  // namespace bvp
