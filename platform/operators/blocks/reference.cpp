// SPDX-License-Identifier: Apache-2.0
#include "platform/reference/half_attention.h"

namespace bvp {

namespace half_references {

MixedHalves blocks(const HalfEvaluation& evaluation, const HalfPanels& x, const HalfPanels& residual, u64 layer) {
  return attend_in_pattern(evaluation, x, residual, layer);
}

}  // namespace half_references

}  // namespace bvp
