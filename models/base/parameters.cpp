// SPDX-License-Identifier: Apache-2.0
#include "models/base/parameters.h"

#include <fmt/format.h>

#include <algorithm>

namespace bvp {

ParamBase::ParamBase(ParameterGroup* group, ParamDeclaration declaration) : declaration_(std::move(declaration)) {
  group->parameters_.push_back(this);
}

void ParamBase::check_number(double value) const {
  const auto [min, max] = range();
  if (!std::isfinite(value) || value < min || value > max) {
    throw ParamError(fmt::format("{} is {}, expected a number from {} to {}", name(), value, min, max));
  }
  if (power_of_two()) {
    const auto integer = static_cast<u64>(value);
    if (integer == 0 || (integer & (integer - 1)) != 0) {
      throw ParamError(fmt::format("{} is {}, expected a power of two from {} to {}", name(), value, min, max));
    }
  }
}

void ParamBase::check_number(i64 value) const {
  check_number(static_cast<double>(value));
  const auto [min, max] = range();
  // Above 2^53 the conversion to double rounds, which could move a value from outside the range to inside.
  constexpr double representable = 9.2e18;
  const bool below = std::abs(min) < representable && value < static_cast<i64>(std::ceil(min));
  const bool above = std::abs(max) < representable && value > static_cast<i64>(std::floor(max));
  if (below || above) {
    throw ParamError(fmt::format("{} is {}, expected a number from {} to {}", name(), value, min, max));
  }
}

void ParamBase::check_choice(const std::string& value) const {
  const std::vector<std::string>& words = choices();
  if (words.empty() || std::find(words.begin(), words.end(), value) != words.end()) return;
  throw ParamError(fmt::format("{} is '{}', expected one of: {}", name(), value, fmt::join(words, ", ")));
}

ParameterGroup::ParameterGroup(ParameterGroup* parent, std::string name, std::string description)
    : name_(std::move(name)), description_(std::move(description)) {
  parent->groups_.push_back(this);
}

ParamBase* ParameterGroup::find_parameter(const std::string& name) const {
  for (ParamBase* parameter : parameters_) {
    if (parameter->name() == name) return parameter;
  }
  return nullptr;
}

ParameterGroup* ParameterGroup::find_group(const std::string& name) const {
  for (ParameterGroup* group : groups_) {
    if (group->name() == name) return group;
  }
  return nullptr;
}

void ParameterGroup::copy_values_from(const ParameterGroup& other) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i]->assign(other.parameters_.at(i)->value());
  for (std::size_t i = 0; i < groups_.size(); ++i) groups_[i]->copy_values_from(*other.groups_.at(i));
}

}  // namespace bvp
