// SPDX-License-Identifier: Apache-2.0
#include "platform/soc/soc_parameters.h"

namespace bvp {

SocParameters::SocParameters(ParameterGroup* parent)
    : ParameterGroup(parent, "soc", "the system on chip: host CPU, buses, memories and the dataflow accelerator") {}

}  // namespace bvp
