// SPDX-License-Identifier: Apache-2.0
// Every token sees all of them.
#include "platform/network/mixing.h"

namespace bvp::mixings {

MixingDeclaration attention() {
  MixingDeclaration declaration;
  declaration.place = 0;
  declaration.computes = "softmax attention";
  declaration.attends = true;
  declaration.masked = true;
  declaration.add_tensors = add_projections;
  return declaration;
}

}  // namespace bvp::mixings
