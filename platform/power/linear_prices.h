// SPDX-License-Identifier: Apache-2.0
// An energy table multiplied out for one machine, so that pricing a window of time takes only a few additions.
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

  /// The components that have actions or background power, in order.
  [[nodiscard]] const std::vector<std::string>& components() const { return components_; }
  /// Joules by component for these amounts of actions (in the order of the sampler) in a stretch of time. Amounts after
  /// those of the actions are ignored. `clock_hz`: the clock of the PEs.
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
  std::vector<Background> background_;  // background power by component
  std::size_t retention_cycles_;        // index of the action that counts them
  double pes_;
};

}  // namespace bvp
