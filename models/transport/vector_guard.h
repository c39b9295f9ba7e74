// SPDX-License-Identifier: Apache-2.0
// Decides which vectors of the scratchpad the PEs may reach.
#pragma once

#include "models/transport/vector_access.h"

namespace bvp {

class VectorGuard {
 public:
  virtual ~VectorGuard() = default;
  /// Whether every vector of the access may be read or written.
  [[nodiscard]] virtual bool admits(bool write, const VectorAccess& access) const = 0;
  /// An access that is not admitted was made, and is refused.
  virtual void refused(bool write, const VectorAccess& access) = 0;
};

}  // namespace bvp
