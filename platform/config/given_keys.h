// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "models/base/parameters.h"

namespace bvp {

/// Maps each key that was given to the place of its value ("FILE:LINE:COLUMN", "--set").
using GivenKeys = std::map<std::string, std::string>;

/// Source and confidence of a value that is not the declared default; the declaration describes the default only.
struct ParameterOrigin {
  std::string source;
  Confidence confidence;
};
using ParameterOrigins = std::map<std::string, ParameterOrigin>;

}  // namespace bvp
