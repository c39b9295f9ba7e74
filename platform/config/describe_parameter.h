// SPDX-License-Identifier: Apache-2.0
// Parameters in words: which values they accept, and which value they have.
#pragma once

#include <string>

#include "models/base/parameters.h"

namespace bvp {

/// "an integer from 1 to 16", "one of: cycle, fast", ...
std::string expected_value(const ParamBase& parameter);

/// "1 to 16", "power of two, 1 to 64", "cycle, fast"; empty for any text.
std::string range_text(const ParamBase& parameter);

std::string value_text(const ParamValue& value);
std::string confidence_text(Confidence confidence);

}  // namespace bvp
