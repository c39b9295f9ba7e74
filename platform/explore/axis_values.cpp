// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/axis_values.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <sstream>

#include "platform/support/input_error.h"
#include "platform/support/printable.h"

namespace bvp {
namespace {

/// Values that one axis may have.
constexpr std::size_t most_values = 100'000;

bool is_integer(const ParamBase* parameter) { return parameter != nullptr && parameter->type() == ParamType::integer; }

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

/// A number, or "2^18".
struct Power {
  double value = 0;
  bool of_two = false;
};

Power read_number(const std::string& text) {
  if (text.compare(0, 2, "2^") == 0) {
    const std::optional<double> exponent = number_of(std::string_view(text).substr(2));
    if (exponent && *exponent >= 0 && *exponent <= 62 && std::floor(*exponent) == *exponent) {
      return {std::exp2(*exponent), true};
    }
    throw InputError(fmt::format("found '{}', expected 2^0 to 2^62", printable(text)));
  }
  if (const std::optional<double> value = number_of(text)) return {*value, false};
  throw InputError(fmt::format("found '{}', expected a number", printable(text)));
}

void check_order(double from, double to) {
  if (from <= to) return;
  throw InputError(fmt::format("the range from {} to {} is empty, expected the lower end first", from, to));
}

void check_integer(double value, const char* what, const ParamBase* parameter) {
  if (!is_integer(parameter) || std::floor(value) == value) return;
  throw InputError(fmt::format("{}: found {}, expected an integer", what, value));
}

/// Reads "1..8", "1..9:2", "1e8..1e9@5", "2^3..2^6".
AxisValues read_range(const std::string& item, std::size_t dots, const ParamBase* parameter) {
  const std::size_t mark = item.find_first_of(":@", dots);
  const Power from = read_number(item.substr(0, dots));
  const Power to = read_number(item.substr(dots + 2, mark == std::string::npos ? mark : mark - dots - 2));
  if (mark != std::string::npos) {
    const double number = read_number(item.substr(mark + 1)).value;
    if (item[mark] == ':') return {stepped(from.value, to.value, number, parameter), {}};
    if (number < 2 || std::floor(number) != number) {
      throw InputError(fmt::format("found {} values of a range, expected an integer of at least 2", number));
    }
    return {logarithmic(from.value, to.value, static_cast<u64>(number), parameter), {}};
  }
  if (from.of_two && to.of_two) return {powers_of_two(from.value, to.value, parameter), {}};
  if (is_integer(parameter)) return {stepped(from.value, to.value, 1, parameter), {}};
  check_order(from.value, to.value);
  return {{}, Axis::Range{from.value, to.value, false}};
}

}  // namespace

std::string axis_text(double value, const ParamBase* parameter) {
  constexpr double exact = 9007199254740992;  // 2^53
  if (is_integer(parameter) && std::abs(value) <= exact) return fmt::format("{}", std::llround(value));
  if (is_integer(parameter)) return fmt::format("{:.0f}", value);
  return fmt::format("{}", value);
}

std::vector<std::string> stepped(double from, double to, double step, const ParamBase* parameter) {
  check_order(from, to);
  if (!(step > 0)) throw InputError(fmt::format("found a step of {}, expected one above 0", step));
  check_integer(from, "from", parameter);
  check_integer(step, "step", parameter);
  // Rounding must not lose the last value of a range of fractions.
  constexpr double slack = 1e-9;
  const double count = std::floor((to - from) / step + slack) + 1;
  if (count > most_values) {
    throw InputError(fmt::format("the range has {:.0f} values, expected at most {}", count, most_values));
  }
  std::vector<std::string> values;
  for (u64 i = 0; i < static_cast<u64>(count); ++i) {
    values.push_back(axis_text(from + static_cast<double>(i) * step, parameter));
  }
  return values;
}

std::vector<std::string> powers_of_two(double from, double to, const ParamBase* parameter) {
  check_order(from, to);
  if (!(from > 0)) throw InputError(fmt::format("from: found {}, expected a number above 0", from));
  check_integer(from, "from", parameter);
  std::vector<std::string> values;
  for (double value = from; value <= to; value *= 2) values.push_back(axis_text(value, parameter));
  return values;
}

std::vector<std::string> logarithmic(double from, double to, u64 points, const ParamBase* parameter) {
  check_order(from, to);
  if (!(from > 0)) throw InputError(fmt::format("from: found {}, expected a number above 0", from));
  if (points < 2 || points > most_values) {
    throw InputError(fmt::format("points: found {}, expected 2 to {}", points, most_values));
  }
  std::vector<std::string> values;
  for (u64 i = 0; i < points; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(points - 1);
    // Both ends are exact.
    const double value = i + 1 == points ? to : from * std::pow(to / from, share);
    std::string text = axis_text(value, parameter);
    if (values.empty() || values.back() != text) values.push_back(std::move(text));
  }
  return values;
}

AxisValues parse_axis_values(const std::string& text, const ParamBase* parameter) {
  AxisValues all;
  std::stringstream items(text);
  std::size_t count = 0;
  for (std::string item; std::getline(items, item, ','); ++count) {
    if (item.empty()) throw InputError("an empty value between commas; expected a value");
    const bool is_number =
        parameter != nullptr && parameter->type() != ParamType::text && parameter->type() != ParamType::boolean;
    const std::size_t dots = item.find("..");
    if (is_number && dots != std::string::npos) {
      AxisValues values = read_range(item, dots, parameter);
      if (values.range) all.range = values.range;
      all.list.insert(all.list.end(), values.list.begin(), values.list.end());
    } else if (is_number && item.compare(0, 2, "2^") == 0) {
      all.list.push_back(axis_text(read_number(item).value, parameter));
    } else {
      all.list.push_back(item);
    }
  }
  if (count == 0 || text.back() == ',') throw InputError("an empty value; expected at least one value");
  if (all.range && count > 1) throw InputError("a range of all numbers stands alone; expected no further values");
  return all;
}

}  // namespace bvp
