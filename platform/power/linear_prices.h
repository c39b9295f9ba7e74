// SPDX-License-Identifier: Apache-2.0
// An energy table multiplied out for one machine: pricing a window of time takes some additions.
#pragma once

#include <string>
#include <vector>

#include "models/power/action_counts.h"
#include "models/power/energy_table.h"

namespace bvp {

class LinearPrices {
 public:
  /// @throws EnergyTableError  an action of the sampler has no price
  LinearPrices(const EnergyTable& table, const MachineSize& size, const ActionSampler& sampler);

  /// Those that have actions or background, in order.
  [[nodiscard]] const std::vector<std::string>& components() const { return components_; }
  /// Joules by component of so many actions, in the order of the sampler, in a time. Amounts behind those of the
  /// actions are left out. `clock_hz`: of the PEs.
  [[nodiscard]] std::vector<double> energy(const std::vector<i64>& actions, double seconds, double clock_hz) const;

 private:
  struct Action {
    std::size_t component;  // index into components_
    double joules;          // of one
  };
  struct Background {
    double watts = 0, watts_in_retention = 0;
  };

  [[nodiscard]] std::size_t index_of(const std::string& component) const;

  std::vector<std::string> components_;
  std::vector<Action> actions_;         // as the sampler's
  std::vector<Background> background_;  // by component
  std::size_t retention_cycles_;        // index of the action that counts them
  double pes_;
};

}  // namespace bvp
