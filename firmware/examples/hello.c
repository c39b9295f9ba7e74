/* SPDX-License-Identifier: Apache-2.0 */
/* Says hello, and where it runs. */
#include <stdio.h>

#include "hal/csr.h"
#include "hal/exit.h"

int main(void) {
  printf("hello from RV64, cycle %lu\n", (unsigned long)cycle_count());
  return exit_done;
}
