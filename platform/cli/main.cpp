// SPDX-License-Identifier: Apache-2.0
// The executable butterfly-vp.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <systemc>

#include "platform/cli/build_info.h"
#include "platform/cli/commands.h"
#include "platform/support/temporary_path.h"

int sc_main(int argc, char* argv[]) { return bvp::command_line(argc, argv, bvp::build_info()); }

// libsystemc has a main of its own, which would print a banner into the output of `describe --schema`.
int main(int argc, char* argv[]) {
  // What is opened later must not take the place of a standard stream that is closed. Read-only: printing fails.
  for (int opened = 0; opened >= 0 && opened <= STDERR_FILENO;) {
    opened = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (opened > STDERR_FILENO) close(opened);
  }
  // Of use where a library ends the process.
  std::atexit(bvp::remove_temporary_paths);
  // What cannot be written is told, and does not end the process without a word.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
  return sc_core::sc_elab_and_sim(argc, argv);
}
