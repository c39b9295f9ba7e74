// SPDX-License-Identifier: Apache-2.0
#include "platform/config/describe_parameter.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace bvp {
namespace {

std::string limits(const ParamRange& range, const char* between) {
  const bool low = std::isfinite(range.min);
  const bool high = std::isfinite(range.max);
  if (low && high) return fmt::format("{}{} to {}", between, range.min, range.max);
  if (low) return fmt::format("at least {}", range.min);
  if (high) return fmt::format("at most {}", range.max);
  return {};
}

}  // namespace

std::string range_text(const ParamBase& parameter) {
  switch (parameter.type()) {
    case ParamType::boolean:
      return "true, false";
    case ParamType::text:
      return fmt::format("{}", fmt::join(parameter.choices(), ", "));
    default: {
      std::string text = limits(parameter.range(), "");
      if (!parameter.power_of_two()) return text;
      return text.empty() ? "power of two" : "power of two, " + text;
    }
  }
}

std::string expected_value(const ParamBase& parameter) {
  if (parameter.type() == ParamType::boolean) return "true or false";
  if (parameter.type() == ParamType::text) {
    return parameter.choices().empty() ? "a text" : fmt::format("one of: {}", fmt::join(parameter.choices(), ", "));
  }
  std::string text = parameter.type() == ParamType::integer ? "an integer" : "a number";
  if (parameter.power_of_two()) text = "a power of two";
  const std::string range = limits(parameter.range(), "from ");
  return range.empty() ? text : text + " " + range;
}

std::string value_text(const ParamValue& value) {
  if (const auto* boolean = std::get_if<bool>(&value)) return *boolean ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* integer = std::get_if<i64>(&value)) return fmt::format("{}", *integer);
  return fmt::format("{}", std::get<double>(value));
}

std::string confidence_text(Confidence confidence) {
  switch (confidence) {
    case Confidence::high:
      return "high";
    case Confidence::mid:
      return "mid";
    case Confidence::low:
      return "low";
  }
  return {};
}

}  // namespace bvp
