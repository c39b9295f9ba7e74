// SPDX-License-Identifier: Apache-2.0
#include "models/dma/dma_course.h"

namespace bvp {

DmaCourse::~DmaCourse() = default;

}  // namespace bvp
