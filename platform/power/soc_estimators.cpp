// SPDX-License-Identifier: Apache-2.0
#include "platform/power/soc_estimators.h"

#include "models/power/estimators/estimators.h"

namespace bvp {

namespace {

using Units = std::vector<const StatGroup*>;

/// The units of each component in the statistics of the SoC; or monitors of the transactions at their sockets.
Units units_of(const std::string& component, const Soc& soc) {
  Units units;
  if (component == "pe") {
    for (const PeStatus* pe : soc.cores) units.push_back(&pe->statistics());
  } else if (component == "dma") {
    for (const StatGroup* channel : soc.statistics().child(component).children()) units.push_back(channel);
  } else if (component == "mesh" || component == "scratchpad") {
    units.push_back(&soc.statistics().child("monitors").child(component));
  } else {
    units.push_back(&soc.statistics().child(component));
  }
  return units;
}

}  // namespace

std::vector<Estimator> attach_estimators(const Soc& soc) {
  std::vector<Estimator> estimators = all_estimators();
  for (Estimator& estimator : estimators) {
    for (const StatGroup* unit : units_of(estimator.component(), soc)) estimator.attach(*unit);
  }
  return estimators;
}

sc_core::sc_time clock_period(const Soc& soc, const std::string& component) {
  if (component == "cpu") return soc.cpu.period();
  return (component == "dram" ? soc.dram.clock() : soc.clock()).period();
}

}  // namespace bvp
