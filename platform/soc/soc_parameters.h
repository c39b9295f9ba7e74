// SPDX-License-Identifier: Apache-2.0
// Every parameter of the virtual SoC: the `soc` part of a scenario.
#pragma once

#include "models/base/machine_shape.h"
#include "models/base/parameters.h"
#define BVP_BLOCK_PARAMETERS
#include "platform/soc/blocks.def"

namespace bvp {

/// A group for each block, by the block's name.
struct SocParameters : ParameterGroup {
  explicit SocParameters(ParameterGroup* parent);

#define BVP_PARAMETERS(name, Parameters, description) Parameters name{this, #name, description};
#include "platform/soc/blocks.def"

  /// The dimensions as numbers. @throws ParamError  one does not fit
  [[nodiscard]] MachineShape shape() const;
};

}  // namespace bvp
