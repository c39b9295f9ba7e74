// SPDX-License-Identifier: Apache-2.0
// Scales the energy of a circuit to another technology or voltage. The polynomials are those of Stillmaker and Baas,
// "Scaling equations for the accurate prediction of CMOS device performance from 180 nm to 7 nm", Integration 58
// (2017).
#pragma once

namespace bvp {

struct OperatingPoint {
  double nm = 0;
  double volt = 0;
};

/// Energy per operation at `to` divided by that at `from`. Between the published nodes (130, 90, 65, 45, 32, 20, 16,
/// 14, 10 and 7 nm) the result is interpolated linearly.
/// @throws std::invalid_argument  the node is outside of 7 to 130 nm, or the voltage is below lowest_voltage
[[nodiscard]] double energy_scale(OperatingPoint from, OperatingPoint to);

/// The polynomial of the node is not fitted below this voltage: there it would grow while the voltage falls.
[[nodiscard]] double lowest_voltage(double nm);

}  // namespace bvp
