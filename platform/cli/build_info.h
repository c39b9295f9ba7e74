// SPDX-License-Identifier: Apache-2.0
// The build that the executable comes from. The build writes the definition (scripts/build_info.cmake), so that a new
// commit recompiles only that file.
#pragma once

#include "platform/report/provenance.h"

namespace bvp {

[[nodiscard]] BuildInfo build_info();

}  // namespace bvp
