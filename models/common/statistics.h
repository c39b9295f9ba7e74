// SPDX-License-Identifier: Apache-2.0
// Statistics as a tree that mirrors the hierarchy. A model owns a StatGroup and declares Counters in it;
// writers (table, JSON, CSV) walk the tree and live apart from the models. Counters marked as actions are
// what the energy table prices: their name is the action's name in the table.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "models/common/types.h"

namespace bvp {

class StatGroup;

/// A monotonically growing count. `unit` is a noun in the plural ("cycles", "bytes", "instructions").
class Counter {
 public:
  enum class Role { statistic, energy_action };

  Counter(StatGroup* group, std::string name, std::string unit, std::string description, Role role = Role::statistic);
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  Counter& operator+=(u64 amount) {
    value_ += amount;
    return *this;
  }
  Counter& operator++() { return *this += 1; }
  [[nodiscard]] u64 value() const { return value_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& unit() const { return unit_; }
  [[nodiscard]] const std::string& description() const { return description_; }
  [[nodiscard]] Role role() const { return role_; }

 private:
  u64 value_ = 0;
  std::string name_, unit_, description_;
  Role role_;
};

/// A node of the tree; children and counters register themselves and must outlive the node's use.
class StatGroup {
 public:
  /// `component` is the energy table's name for this kind of block ("pe", "dram"), empty if none.
  explicit StatGroup(std::string name, std::string component = {})
      : name_(std::move(name)), component_(std::move(component)) {}
  StatGroup(const StatGroup&) = delete;
  StatGroup& operator=(const StatGroup&) = delete;

  void add(StatGroup* child) { children_.push_back(child); }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& component() const { return component_; }
  [[nodiscard]] const std::vector<StatGroup*>& children() const { return children_; }
  [[nodiscard]] const std::vector<Counter*>& counters() const { return counters_; }

 private:
  friend class Counter;
  std::string name_, component_;
  std::vector<StatGroup*> children_;
  std::vector<Counter*> counters_;
};

inline Counter::Counter(StatGroup* group, std::string name, std::string unit, std::string description, Role role)
    : name_(std::move(name)), unit_(std::move(unit)), description_(std::move(description)), role_(role) {
  group->counters_.push_back(this);
}

}  // namespace bvp
