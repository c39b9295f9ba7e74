// SPDX-License-Identifier: Apache-2.0
// exp, erf, tanh and 1/x of every fp16 value, as the reference defines them: correctly rounded.
#pragma once

#include <vector>

#include "models/base/types.h"

namespace bvp {

struct ReferenceFunctions {
  ReferenceFunctions();
  std::vector<u16> exp, erf, tanh, reciprocal;  ///< indexed by the bits of the argument
};

}  // namespace bvp
