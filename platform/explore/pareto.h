// SPDX-License-Identifier: Apache-2.0
// What it means that one design is better than another in several objectives.
#pragma once

#include <cstddef>
#include <vector>

namespace bvp {

/// Objectives as a point sees them; smaller is better for all: those to maximise have the opposite sign.
using Costs = std::vector<double>;

/// Whether `a` is at least as good as `b` in every objective and better in one.
[[nodiscard]] bool dominates(const Costs& a, const Costs& b);

/// Indices of the points that no other point dominates. Of equal points the first is taken. In the order of the first
/// objective.
[[nodiscard]] std::vector<std::size_t> pareto_front(const std::vector<Costs>& points);

/// The volume between the points and a reference that is worse than they are, exact. Points that are not better than
/// the reference in every objective add nothing.
[[nodiscard]] double hypervolume(const std::vector<Costs>& points, const Costs& reference);

}  // namespace bvp
