// SPDX-License-Identifier: Apache-2.0
// Payload extension that says which unit of the accelerator makes an access, as the user signals of an AXI bus do.
#pragma once

#include <tlm>

#include "models/base/types.h"

namespace bvp {

struct AccessSource : tlm::tlm_extension<AccessSource> {
  AccessSource() = default;
  explicit AccessSource(u32 source) : number(source) {}

  /// As the elements of UNIT_COMPLETED: 0 the sequencer's fetches, 1 the PEs, 2 + c DMA channel c.
  u32 number = 0;

  [[nodiscard]] tlm_extension_base* clone() const override { return new AccessSource(*this); }
  void copy_from(const tlm_extension_base& other) override { *this = static_cast<const AccessSource&>(other); }
};

}  // namespace bvp
