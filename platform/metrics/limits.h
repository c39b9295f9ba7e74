// SPDX-License-Identifier: Apache-2.0
// What bounds the time of a run: the cycles of its critical path, by what was done in them.
#pragma once

#include <array>

namespace bvp {

enum class Limit {
#define X(name, parameter, description) name,
#include "platform/metrics/limits.def"
#undef X
};

struct LimitInfo {
  const char* name;
  const char* parameter;  ///< the key of the scenario that would shorten this time
  const char* description;
};

inline constexpr std::array limit_infos{
#define X(name, parameter, description) LimitInfo{#name, parameter, description},
#include "platform/metrics/limits.def"
#undef X
};

/// Cycles of the critical path by Limit. Of a whole run they add up to its cycles.
struct LimitCycles {
  std::array<double, limit_infos.size()> cycles{};

  double& operator[](Limit limit) { return cycles[static_cast<std::size_t>(limit)]; }
  LimitCycles& operator+=(const LimitCycles& other) {
    for (std::size_t i = 0; i < cycles.size(); ++i) cycles[i] += other.cycles[i];
    return *this;
  }
  [[nodiscard]] double total() const {
    double sum = 0;
    for (const double each : cycles) sum += each;
    return sum;
  }
};

}  // namespace bvp
