// SPDX-License-Identifier: Apache-2.0
// The statistics tree as JSON and CSV.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

#include "models/base/statistics.h"

namespace bvp {

/// {counter: value, ..., child: {...}}. If a counter and a child have the same name, the child's name gets an
/// underscore.
nlohmann::json statistics_json(const StatGroup& group);

/// One line per counter: path, value, unit, description.
std::string statistics_csv(const StatGroup& group);

}  // namespace bvp
