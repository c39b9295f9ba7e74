/* SPDX-License-Identifier: Apache-2.0 */
/* How a program ends, as the C library asks for it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "hal/exit.h"

void _exit(int code) { exit_simulation(code); }

/* In place of the C library's, which raises a signal. */
void abort(void) {
  printf("aborted at 0x%016lx\n", (unsigned long)__builtin_return_address(0));
  exit_simulation(exit_aborted);
}
