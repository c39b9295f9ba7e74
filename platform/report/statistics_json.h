// SPDX-License-Identifier: Apache-2.0
// The statistics tree for files.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

#include "models/base/statistics.h"

namespace bvp {

/// {counter: value, ..., child: {...}}. A counter and a child of the same name do not hide each other: the child's
/// name gets an underscore.
nlohmann::json statistics_json(const StatGroup& group);

/// A line a counter: path, value, unit, description.
std::string statistics_csv(const StatGroup& group);

}  // namespace bvp
