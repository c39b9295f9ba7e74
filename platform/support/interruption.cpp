// SPDX-License-Identifier: Apache-2.0
#include "platform/support/interruption.h"

#include <sys/prctl.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <string_view>

#include "platform/support/temporary_path.h"

namespace bvp {

namespace {

std::atomic<int> came{0};  // the signal
std::atomic<int> child{0};
std::atomic<bool> simulating{false}, written{false};

/// Writes a message with functions that a signal handler may call, so without formatted output.
void say_at_once(std::string_view text) {
  // The result is ignored: nobody may be reading the message.
  [[maybe_unused]] const ssize_t bytes = write(STDERR_FILENO, text.data(), text.size());
}

void set_timer(int milliseconds) {
  itimerval timer{};
  timer.it_value.tv_usec = milliseconds * 1000;
  setitimer(ITIMER_REAL, &timer, nullptr);
}

void note(int signal) {
  constexpr int patience_ms = 700;
  const int first = came.load();
  if (simulating && first == 0 && signal != SIGALRM) {
    came = signal;
    say_at_once("interrupted: the simulation ends and leaves its results; once more ends it at once\n");
    set_timer(patience_ms);
    return;
  }
  if (signal == SIGALRM && first == 0) return;
  if (written) {
    say_at_once("error: interrupted after the results were written\n");
  } else if (first != 0) {
    say_at_once("error: interrupted: the run did not end in time and leaves no results; earlier ones are untouched\n");
  } else {
    say_at_once("error: interrupted: nothing was written, earlier results are untouched\n");
  }
  Interruption::end_by(first != 0 ? first : signal);
}

}  // namespace

Interruption::Interruption() {
  came = 0;
  simulating = written = false;
  struct sigaction action {};
  action.sa_handler = note;
  sigemptyset(&action.sa_mask);
  for (const int signal : signals) sigaddset(&action.sa_mask, signal);
  action.sa_flags = SA_RESTART;
  for (std::size_t i = 0; i < signals.size(); ++i) {
    sigaction(signals[i], &action, &previous_[i]);
    if (previous_[i].sa_handler == SIG_IGN && signals[i] != SIGALRM) sigaction(signals[i], &previous_[i], nullptr);
  }
}

Interruption::~Interruption() {
  set_timer(0);
  for (std::size_t i = 0; i < signals.size(); ++i) sigaction(signals[i], &previous_[i], nullptr);
}

int Interruption::asked() { return came; }

void Interruption::end_by(int signal) {
  constexpr int exit_code_of_signal_0 = 128;
  remove_temporary_paths();
  if (const int process = child; process > 0) kill(process, SIGKILL);
  std::signal(signal, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  sigprocmask(SIG_UNBLOCK, &only, nullptr);
  std::raise(signal);
  // The kernel gives the first process of a container only signals that it handles.
  _exit(exit_code_of_signal_0 + signal);
}

void Interruption::set_child(int process) { child = process; }

void Interruption::become_child(int parent) {
  forget_temporary_paths();
  for (const int signal : signals) std::signal(signal, SIG_DFL);
  for (const int signal : {SIGPIPE, SIGXFSZ}) std::signal(signal, SIG_DFL);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
}

Interruption::Simulation::Simulation() { simulating = true; }

Interruption::Simulation::~Simulation() { simulating = false; }

Interruption::Pause::Pause() {
  sigset_t all;
  sigemptyset(&all);
  for (const int signal : signals) sigaddset(&all, signal);
  sigprocmask(SIG_BLOCK, &all, &before_);
}

Interruption::Pause::~Pause() { sigprocmask(SIG_SETMASK, &before_, nullptr); }

Interruption::Change::~Change() { written = true; }

}  // namespace bvp
