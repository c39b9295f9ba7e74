// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "models/base/parameters.h"

namespace bvp {

/// Key -> where its value comes from ("FILE:LINE:COLUMN", "--set"), for those that were given.
using GivenKeys = std::map<std::string, std::string>;

/// Source and confidence of a value that are not those of the declaration, which speaks of the default.
struct ParameterOrigin {
  std::string source;
  Confidence confidence;
};
using ParameterOrigins = std::map<std::string, ParameterOrigin>;

}  // namespace bvp
