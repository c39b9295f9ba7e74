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

// libsystemc has a main function, which would print a banner into the output of `describe --schema`; this one replaces
// it.
int main(int argc, char* argv[]) {
  // A standard stream that is closed is opened on /dev/null, so that a file which is opened later does not take its
  // number. It is opened read-only, so that printing fails.
  for (int opened = 0; opened >= 0 && opened <= STDERR_FILENO;) {
    opened = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (opened > STDERR_FILENO) close(opened);
  }
  // Helps where a library ends the process.
  std::atexit(bvp::remove_temporary_paths);
  // An error in writing is reported and does not end the process silently.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
  return sc_core::sc_elab_and_sim(argc, argv);
}
