// SPDX-License-Identifier: Apache-2.0
#include "models/arith/special_functions.h"

#include <cmath>
#include <memory>

namespace bvp {
namespace {

// Enough digits that rounding twice, to double and then to fp16, gives what rounding once would give: none of
// the functions comes that close to the middle between two fp16 values (a test looks at every argument).
using Real = double;

Real value_of(u32 bits) {
  const u32 exponent = (bits >> 10) & 0x1f;
  const auto fraction = static_cast<Real>(bits & 0x3ff);
  Real magnitude = 0;
  if (exponent == 31) {
    magnitude = (bits & 0x3ff) != 0 ? NAN : INFINITY;
  } else {
    magnitude =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, static_cast<int>(exponent) - 25);
  }
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

u16 rounded(Real value) {
  constexpr Real overflow = 65520;  // halfway between the largest finite value and the value that would follow it
  if (std::isnan(value)) return 0x7e00;
  const u32 sign = std::signbit(value) ? 0x8000 : 0;
  const Real magnitude = std::fabs(value);
  if (magnitude >= overflow) return static_cast<u16>(sign | 0x7c00);
  if (magnitude == 0) return static_cast<u16>(sign);
  // The spacing of fp16 values is 2^(exponent - 10), but never below 2^-24. nearbyint rounds ties to even.
  int exponent = std::ilogb(magnitude);
  if (exponent < -14) exponent = -14;
  const auto steps = static_cast<u32>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  // Adding lets a carry out of the fraction, or out of the subnormal range, raise the exponent.
  return static_cast<u16>(sign | ((static_cast<u32>(exponent + 14) << 10) + steps));
}

template <class Function>
std::unique_ptr<const SpecialFunctionTable> tabulate(const Function& function) {
  auto table = std::make_unique<SpecialFunctionTable>();
  for (u32 bits = 0; bits < table->size(); ++bits) (*table)[bits] = rounded(function(value_of(bits)));
  return table;
}

}  // namespace

const SpecialFunctionTable& exp_table() {
  // Beyond these bounds the fp16 result is infinite or zero. The library function is slow there and is not called.
  static const auto table = tabulate([](Real x) { return x > 12 ? INFINITY : x < -18 ? Real{0} : std::exp(x); });
  return *table;
}

const SpecialFunctionTable& erf_table() {
  static const auto table = tabulate([](Real x) { return std::fabs(x) > 4 ? std::copysign(Real{1}, x) : std::erf(x); });
  return *table;
}

const SpecialFunctionTable& reciprocal_table() {
  static const auto table = tabulate([](Real x) { return 1 / x; });
  return *table;
}

const SpecialFunctionTable& rsqrt_table() {
  // -0 has the square root -0 and so the result -infinity, as IEEE 754 defines it.
  static const auto table = tabulate([](Real x) { return 1 / std::sqrt(x); });
  return *table;
}

const SpecialFunctionTable& tanh_table() {
  static const auto table =
      tabulate([](Real x) { return std::fabs(x) > 6 ? std::copysign(Real{1}, x) : std::tanh(x); });
  return *table;
}

}  // namespace bvp
