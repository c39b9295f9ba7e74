// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

namespace bvp {

/// Key -> where its value comes from ("FILE:LINE:COLUMN", "--set"), for those that were given.
using GivenKeys = std::map<std::string, std::string>;

}  // namespace bvp
