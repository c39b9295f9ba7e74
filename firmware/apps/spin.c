/* SPDX-License-Identifier: Apache-2.0 */
/* Fault injection: never finishes. */
#include <stdio.h>

int main(void) {
  printf("spinning\n");
  for (;;) __asm__ volatile("");
}
