// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "platform/codegen/register_banks.h"

namespace bvp {

/// The text of bvp_hw.h: all that firmware must know of the hardware.
[[nodiscard]] std::string c_header(const std::vector<RegisterBankView>& banks);

}  // namespace bvp
