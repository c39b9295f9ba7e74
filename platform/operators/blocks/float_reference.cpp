// SPDX-License-Identifier: Apache-2.0
#include "platform/reference/float_attention.h"

namespace bvp {

namespace float_references {

FloatPanels blocks(const FloatEvaluation& evaluation, const FloatPanels& x, u64 layer) {
  return attention_in_pattern(evaluation, x, layer);
}

}  // namespace float_references

}  // namespace bvp
