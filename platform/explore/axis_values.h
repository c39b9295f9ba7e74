// SPDX-License-Identifier: Apache-2.0
// The values of an axis: from the words of a command line, and from ranges.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/base/parameters.h"
#include "platform/explore/definition.h"

namespace bvp {

/// Values of one key: a list, or a range of which any value may be taken.
struct AxisValues {
  std::vector<std::string> list;
  std::optional<Axis::Range> range;
};

/// A value as text: of an integer parameter without a decimal point, otherwise with as many digits as make it exact.
[[nodiscard]] std::string axis_text(double value, const ParamBase* parameter);

// Each throws InputError with a sentence that says what was found and what is expected.

/// FROM, FROM + STEP, ... up to TO.
[[nodiscard]] std::vector<std::string> stepped(double from, double to, double step, const ParamBase* parameter);
/// FROM, 2 FROM, 4 FROM, ... up to TO.
[[nodiscard]] std::vector<std::string> powers_of_two(double from, double to, const ParamBase* parameter);
/// `points` values from FROM to TO, each the same factor above the one before; equal integers are one value.
[[nodiscard]] std::vector<std::string> logarithmic(double from, double to, u64 points, const ParamBase* parameter);

/// Reads "4,8,16", "2^18..2^24" (powers of two), "1..8" (each integer; any number of a parameter that is no integer),
/// "1..9:2" (steps of 2), "1e8..1e9@5" (5 values, each the same factor above the one before), and lists of these.
/// @param parameter  null: the values are words
[[nodiscard]] AxisValues parse_axis_values(const std::string& text, const ParamBase* parameter);

}  // namespace bvp
