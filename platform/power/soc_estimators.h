// SPDX-License-Identifier: Apache-2.0
// The power estimators of an SoC. The SoC runs the same with and without them.
#pragma once

#include <vector>

#include "models/power/estimator.h"
#include "platform/soc/soc.h"

namespace bvp {

/// An estimator for each component, attached to its units; `soc` must outlive them. A sampler of them reads the
/// present once Soc::settle_statistics() has been called.
/// @throws std::logic_error  a unit does not count what its estimator reads, or the SoC was built without monitors
[[nodiscard]] std::vector<Estimator> attach_estimators(const Soc& soc);

/// The clock in whose cycles the counters of a component say when something takes place.
[[nodiscard]] sc_core::sc_time clock_period(const Soc& soc, const std::string& component);

}  // namespace bvp
