// SPDX-License-Identifier: Apache-2.0
// How often each priced action happened, by component.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "models/base/types.h"
#include "models/power/estimator.h"

namespace bvp {

struct ActionCounts {
  /// component -> action -> count
  std::map<std::string, std::map<std::string, u64>> by_component;

  ActionCounts& operator+=(const ActionCounts& other);
};

/// Reads the units of several estimators repeatedly: it lists their counters once, in a vector.
class ActionSampler {
 public:
  /// The units that the estimators are attached to must outlive the sampler.
  /// @throws std::logic_error  an estimator is attached to nothing, or two have the same component
  explicit ActionSampler(const std::vector<Estimator>& estimators);

  /// One sum for each action of each component, in an order that is the same every time.
  [[nodiscard]] std::vector<u64> sample() const;
  /// Writes the sample into `sample`, whose memory is used again.
  void sample(std::vector<u64>& values) const;
  /// The actions between two samples of this sampler. @throws std::invalid_argument  a sample does not come from it
  [[nodiscard]] ActionCounts between(const std::vector<u64>& earlier, const std::vector<u64>& later) const;
  /// The actions so far.
  [[nodiscard]] ActionCounts counts() const;

  using Action = std::pair<std::string, std::string>;  ///< component, name
  /// The action that each value of a sample counts.
  [[nodiscard]] const std::vector<Action>& actions() const { return actions_; }
  struct Source {
    std::size_t action;  ///< index into actions()
    const Counter* counter;
  };
  /// The counters whose sum each value is.
  [[nodiscard]] const std::vector<Source>& sources() const { return sources_; }

 private:
  std::vector<Action> actions_;
  std::vector<Source> sources_;
};

}  // namespace bvp
