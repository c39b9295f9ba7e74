// SPDX-License-Identifier: Apache-2.0
#include "platform/cli/interruption.h"

#include <unistd.h>

#include <string_view>

namespace bvp {

namespace {

volatile std::sig_atomic_t came = 0, simulating = 0;

/// What a signal handler may do: no formatted output.
void say_at_once(std::string_view text) {
  // Nobody need read it.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
}

void note(int signal) {
  std::signal(signal, SIG_DFL);
  if (simulating == 0) {
    say_at_once("error: interrupted before the simulation began\n");
    std::raise(signal);
  } else {
    say_at_once("interrupted: the run ends and leaves its results; once more ends it at once\n");
  }
  came = 1;
}

}  // namespace

Interruption::Interruption() {
  came = simulating = 0;
  for (std::size_t i = 0; i < signals.size(); ++i) {
    previous_[i] = std::signal(signals[i], note);
    if (previous_[i] == SIG_IGN) std::signal(signals[i], SIG_IGN);
  }
}

Interruption::~Interruption() {
  for (std::size_t i = 0; i < signals.size(); ++i) std::signal(signals[i], previous_[i]);
}

void Interruption::simulation_begins() { simulating = 1; }

bool Interruption::asked() const { return came != 0; }

}  // namespace bvp
