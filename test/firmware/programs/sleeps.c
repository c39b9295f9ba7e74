/* SPDX-License-Identifier: Apache-2.0 */
/* Sleeps until an interrupt that never comes, behind a line that is not complete. */
#include <stdio.h>

#include "hal/csr.h"
#include "hal/exit.h"

int main(void) {
  CSR_SET(mie, MIE_MTIE);
  printf("going to sleep");
  for (;;) wait_for_interrupt();
}
