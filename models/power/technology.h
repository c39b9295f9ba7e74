// SPDX-License-Identifier: Apache-2.0
// Energy of the same circuit in another technology or at another voltage: polynomials of Stillmaker and Baas,
// "Scaling equations for the accurate prediction of CMOS device performance from 180 nm to 7 nm", Integration 58
// (2017).
#pragma once

namespace bvp {

struct OperatingPoint {
  double nm = 0;
  double volt = 0;
};

/// Energy per operation at `to` over that at `from`; between the published nodes (130, 90, 65, 45, 32, 20, 16, 14, 10
/// and 7 nm) by linear interpolation. @throws std::invalid_argument  a node outside of 7 to 130 nm, or a voltage below
/// lowest_voltage
[[nodiscard]] double energy_scale(OperatingPoint from, OperatingPoint to);

/// Below it the node's polynomial grows while the voltage falls: it is not fitted there.
[[nodiscard]] double lowest_voltage(double nm);

}  // namespace bvp
