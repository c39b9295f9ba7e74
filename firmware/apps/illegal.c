/* SPDX-License-Identifier: Apache-2.0 */
/* Fault injection: an illegal instruction, for the default handler. */
#include <stdio.h>

#include "hal/exit.h"

int main(void) {
  printf("executing an illegal instruction\n");
  __asm__ volatile(".word 0xffffffff");
  return exit_check_failed;
}
