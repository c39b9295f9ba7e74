/* SPDX-License-Identifier: Apache-2.0 */
/* Fault injection: jumps to where nothing is. The default handler reports it. */
#include <stdint.h>
#include <stdio.h>

#include "hal/exit.h"

int main(void) {
  printf("jumping to nowhere\n");
  void (*volatile nowhere)(void) = (void (*)(void))(uintptr_t)0x3ead0000u;
  nowhere();
  return exit_check_failed;
}
