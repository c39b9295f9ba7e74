/* SPDX-License-Identifier: Apache-2.0 */
/* Fault injection: jumps to where nothing is, with a trap vector that leads nowhere either. */
#include <stdint.h>
#include <stdio.h>

#include "hal/csr.h"
#include "hal/exit.h"

int main(void) {
  printf("jumping to nowhere, without a trap vector\n");
  CSR_WRITE(mtvec, 0x3eae0000u);
  void (*volatile nowhere)(void) = (void (*)(void))(uintptr_t)0x3ead0000u;
  nowhere();
  return exit_check_failed;
}
