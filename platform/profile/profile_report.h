// SPDX-License-Identifier: Apache-2.0
// What a profile says: a table, a file of JSON, and stacks for flame graphs.
#pragma once

#include <map>
#include <string>

#include "platform/profile/profiler.h"

namespace bvp {

struct ProfileReport {
  const Profiler& profiler;
  u64 cycle;  ///< of the profiler's times, how many make a cycle of the CPU
  /// Joules of the CPU for instructions, and for its time; empty: unknown.
  std::map<std::string, double> energy_j = {};

  /// The functions that take most of the time awake, one a line.
  [[nodiscard]] std::string table(std::size_t width) const;
  [[nodiscard]] std::string json() const;
  /// "main;network_run;push 1234": cycles of each stack, which flamegraph.pl and speedscope read. Sleep is a function
  /// of its own.
  [[nodiscard]] std::string folded() const;

 private:
  /// Of the energy of the CPU: that of its instructions, and by time that of its background.
  [[nodiscard]] double energy_share(const Profiler::Cost& cost, const Profiler::Cost& total) const;
  [[nodiscard]] Profiler::Cost total() const;
};

}  // namespace bvp
