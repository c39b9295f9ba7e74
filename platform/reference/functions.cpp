// SPDX-License-Identifier: Apache-2.0
#include "platform/reference/functions.h"

#include <cmath>

#include "platform/network/half.h"

namespace bvp {
namespace {

// The double result is never so close to the middle of two fp16 values that rounding it again could err.
template <class Function>
std::vector<u16> tabulate(const Function& function) {
  std::vector<u16> table(65536);
  for (u32 bits = 0; bits < table.size(); ++bits) {
    const double value = function(static_cast<double>(from_half(static_cast<u16>(bits))));
    table[bits] = std::isnan(value) ? u16{0x7e00} : to_half(value);
  }
  return table;
}

}  // namespace

ReferenceFunctions::ReferenceFunctions()
    : exp(tabulate([](double x) { return std::exp(x); })),
      erf(tabulate([](double x) { return std::erf(x); })),
      tanh(tabulate([](double x) { return std::tanh(x); })),
      reciprocal(tabulate([](double x) { return 1 / x; })) {}

}  // namespace bvp
