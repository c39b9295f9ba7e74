// SPDX-License-Identifier: Apache-2.0
// Signals that ask a command to end: SIGINT, SIGTERM, SIGHUP.
#pragma once

#include <array>
#include <csignal>

namespace bvp {

/// While this object exists, such a signal ends the process at once, also if it is the first process of a container:
/// temporary files are removed, and a message goes to the standard error. Within a Simulation, the first signal only
/// asks the simulation to end; the process ends at once if the simulation continues for most of a second, or if another
/// signal arrives. The exit status is that of a process killed by the signal (for a shell 128 plus the signal's
/// number). Signals that are ignored (nohup) stay ignored. Only one object may exist at a time.
class Interruption {
 public:
  Interruption();
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  /// The number of the signal that asked the simulation to end, or 0.
  [[nodiscard]] static int asked();
  /// Ends the process as the signal would and removes temporary files. Destructors do not run.
  [[noreturn]] static void end_by(int signal);

  /// The part of a run that can be ended early and still gives results.
  class Simulation {
   public:
    Simulation();
    /// From here on, a signal ends the process at once, and so does the end of the time that the first signal has left.
    ~Simulation();
    Simulation(const Simulation&) = delete;
    Simulation& operator=(const Simulation&) = delete;
  };

  /// A time at whose end a signal takes effect that comes within it: what is made in it is known to those who remove
  /// it.
  class Pause {
   public:
    Pause();
    ~Pause();
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    sigset_t before_{};
  };

  /// The time in which several files change together: a signal waits for the end of it; from then on, messages say that
  /// results were written.
  class Change {
   public:
    Change() = default;
    ~Change();
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;

   private:
    Pause pause_;
  };

  /// A child process that is to end with this one; 0: none.
  static void set_child(int process);
  /// To be called in a child process after fork(): signals have their default effect there, and the child ends with its
  /// parent.
  static void become_child(int parent);

 private:
  static constexpr std::array<int, 4> signals{SIGINT, SIGTERM, SIGHUP, SIGALRM};
  std::array<struct sigaction, signals.size()> previous_{};
};

}  // namespace bvp
