// SPDX-License-Identifier: Apache-2.0
// Actions that cost energy, read from outside of the models: a model counts what it does in its statistics and does not
// know who reads them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "models/base/statistics.h"
#include "models/base/types.h"

namespace bvp {

/// An action of a component that has a price in the energy tables.
struct EnergyAction {
  std::string name;         ///< as in the energy tables
  std::string unit;         ///< of the statistic
  std::string description;  ///< what one action is
  std::string statistic{};  ///< counter of a unit, or "GROUP.COUNTER" of a group in it; empty: as the action
};

/// Whether every energy table must give the component's background power, even if it is 0.
enum class Background { optional, required };

/// The actions of one component, and the units of the machine that carry them out.
class Estimator {
 public:
  Estimator(std::string component, std::vector<EnergyAction> actions, Background background = Background::optional);

  /// From now on reads the statistics of `unit`, which must outlive the estimator.
  /// @throws std::logic_error  `unit` lacks a counter that an action needs, or counts it in another unit of measure
  void attach(const StatGroup& unit);

  [[nodiscard]] const std::string& component() const { return component_; }
  [[nodiscard]] const std::vector<EnergyAction>& actions() const { return actions_; }
  [[nodiscard]] Background background() const { return background_; }
  /// The counters that `action` (an index into actions()) is read from, one of each unit.
  [[nodiscard]] const std::vector<const Counter*>& sources(std::size_t action) const { return sources_.at(action); }

 private:
  std::string component_;
  std::vector<EnergyAction> actions_;
  Background background_;
  std::vector<std::vector<const Counter*>> sources_;  // by action
};

}  // namespace bvp
