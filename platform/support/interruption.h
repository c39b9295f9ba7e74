// SPDX-License-Identifier: Apache-2.0
// Signals that ask a command to end: SIGINT, SIGTERM, SIGHUP.
#pragma once

#include <array>
#include <csignal>

namespace bvp {

/// While it lives, such a signal ends the process at once, also as the first process of a container: temporary files
/// go away, and the standard error says so. Within a Simulation the first signal asks the simulation to end; should it
/// go on for most of a second, or should another signal come, the process ends at once. A process that ends so has the
/// exit status of a process that the signal killed (for a shell 128 and the signal's number).
/// Signals that are ignored (nohup) stay so. One object at a time.
class Interruption {
 public:
  Interruption();
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  /// The number of the signal that asked the simulation to end, or 0.
  [[nodiscard]] static int asked();
  /// Ends the process as the signal would, without temporary files. Destructors do not run.
  [[noreturn]] static void end_by(int signal);

  /// The part of a run that can be ended with results.
  class Simulation {
   public:
    Simulation();
    /// From here on a signal ends the process at once, and so does the time that the first one has left.
    ~Simulation();
    Simulation(const Simulation&) = delete;
    Simulation& operator=(const Simulation&) = delete;
  };

  /// Files change all together: signals wait for the end of it, and say from then on that results were written.
  class Change {
   public:
    Change();
    ~Change();
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;

   private:
    sigset_t before_{};
  };

  /// A child process that is to end with this one; 0: none.
  static void set_child(int process);
  /// In a child process after fork(): signals do there what they do by default, and the child ends with its parent.
  static void become_child(int parent);

 private:
  static constexpr std::array<int, 4> signals{SIGINT, SIGTERM, SIGHUP, SIGALRM};
  std::array<struct sigaction, signals.size()> previous_{};
};

}  // namespace bvp
