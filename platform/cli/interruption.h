// SPDX-License-Identifier: Apache-2.0
// Signals that ask a run to end.
#pragma once

#include <array>
#include <csignal>

namespace bvp {

/// While it lives, an interrupt or termination signal is told to the user. Before the simulation begins it ends the
/// process, and nothing is lost; from then on the first one only asks the run to end, and a second one ends the
/// process. Signals that are ignored (nohup) stay so. One object at a time.
class Interruption {
 public:
  Interruption();
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  void simulation_begins();
  [[nodiscard]] bool asked() const;

 private:
  static constexpr std::array<int, 3> signals{SIGINT, SIGTERM, SIGHUP};
  std::array<void (*)(int), signals.size()> previous_{};
};

}  // namespace bvp
