// SPDX-License-Identifier: Apache-2.0
// Payload extension in which a memory says what the time of an access was spent on.
#pragma once

#include <systemc>
#include <tlm>

namespace bvp {

/// An initiator sends it along with a timed read or write, with both parts 0; a memory that knows them fills them in.
/// The rest of the time of the access is latency, which other accesses may overlap.
struct MemoryTime : tlm::tlm_extension<MemoryTime> {
  /// The banks: rows that are closed and opened, the limits on activates, refresh.
  sc_core::sc_time rows;
  /// The data bus: data of other accesses, changes of direction, and the data of the access.
  sc_core::sc_time bus;

  [[nodiscard]] tlm_extension_base* clone() const override { return new MemoryTime(*this); }
  void copy_from(const tlm_extension_base& other) override { *this = static_cast<const MemoryTime&>(other); }
};

}  // namespace bvp
