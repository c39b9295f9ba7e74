// SPDX-License-Identifier: Apache-2.0
// Statistics as a tree that mirrors the hierarchy of modules. A model owns a StatGroup and declares Counters in it. The
// readers (writers of tables, recorders, power estimators) live elsewhere; the model does not know them.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "models/base/activity.h"
#include "models/base/types.h"

namespace bvp {

class StatGroup;

/// A monotonically growing count. `unit` is a noun in the plural ("cycles", "bytes", "instructions").
class Counter {
 public:
  Counter(StatGroup* group, std::string name, std::string unit, std::string description);
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  /// Counts an amount that happens at the present.
  Counter& operator+=(u64 amount) {
    value_ += amount;
    return *this;
  }
  Counter& operator++() { return *this += 1; }
  /// Counts now an amount that takes place evenly over [begin, end), in cycles of the model's clock; the interval may
  /// lie before or after the present. An amount without a length takes place at `begin`.
  void add(u64 amount, Cycle begin, Cycle end) {
    value_ += amount;
    if (profile_ != nullptr) profile_->place(amount, begin, end);
  }
  /// Corrects the times of an amount: it was counted with `then` as its begin and takes place over [begin, end).
  void move(u64 amount, Cycle then, Cycle begin, Cycle end) {
    if (profile_ != nullptr) profile_->move(amount, then, begin, end);
  }
  [[nodiscard]] u64 value() const { return value_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& unit() const { return unit_; }
  [[nodiscard]] const std::string& description() const { return description_; }

  /// From now on this counter reports to `profile` when its amounts take place; null: it reports to nobody. Watching a
  /// counter does not change it.
  void set_profile(ActivityProfile* profile) const { profile_ = profile; }

 private:
  u64 value_ = 0;
  mutable ActivityProfile* profile_ = nullptr;
  std::string name_, unit_, description_;
};

/// A state (such as "busy") whose cycles are counted: up to the present whenever somebody reads the counter, and up to
/// the state's end when it ends. The sum does not depend on how often it is read.
class LastingState {
 public:
  [[nodiscard]] bool open() const { return open_; }
  /// Cycles of the state until now that the counter does not have yet.
  [[nodiscard]] Cycle uncounted(Cycle now) const { return open_ && now > counted_until_ ? now - counted_until_ : 0; }
  /// Opens the state; does nothing if it is open already.
  void begin(Cycle now) {
    if (open_) return;
    open_ = true;
    counted_until_ = now;
  }
  void settle(Counter& counter, Cycle now) {
    counter += uncounted(now);
    counted_until_ = std::max(counted_until_, now);
  }
  void end(Counter& counter, Cycle now) {
    settle(counter, now);
    open_ = false;
  }

 private:
  bool open_ = false;
  Cycle counted_until_ = 0;
};

/// A node of the tree; children and counters register themselves and must outlive the node's use.
class StatGroup {
 public:
  explicit StatGroup(std::string name) : name_(std::move(name)) {}
  StatGroup(const StatGroup&) = delete;
  StatGroup& operator=(const StatGroup&) = delete;

  /// @throws std::logic_error  the group has a child of that name; the name of a module is that of its group
  void add(StatGroup* child) {
    for (const StatGroup* other : children_) {
      if (other->name() == child->name()) {
        throw std::logic_error(fmt::format("the statistics of {} have a group '{}' already", name_, child->name()));
      }
    }
    children_.push_back(child);
  }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::vector<StatGroup*>& children() const { return children_; }
  [[nodiscard]] const std::vector<Counter*>& counters() const { return counters_; }

  /// For readers that need the counter. @throws std::logic_error  no counter has this name
  [[nodiscard]] const Counter& counter(const std::string& name) const { return named(counters_, name, "statistic"); }
  [[nodiscard]] const StatGroup& child(const std::string& name) const { return named(children_, name, "group"); }

 private:
  friend class Counter;

  template <typename T>
  [[nodiscard]] const T& named(const std::vector<T*>& all, const std::string& name, const char* kind) const {
    for (const T* one : all) {
      if (one->name() == name) return *one;
    }
    throw std::logic_error(fmt::format("the statistics of {} have no {} '{}'", name_, kind, name));
  }

  std::string name_;
  std::vector<StatGroup*> children_;
  std::vector<Counter*> counters_;
};

inline Counter::Counter(StatGroup* group, std::string name, std::string unit, std::string description)
    : name_(std::move(name)), unit_(std::move(unit)), description_(std::move(description)) {
  group->counters_.push_back(this);
}

}  // namespace bvp
