/* SPDX-License-Identifier: Apache-2.0 */
/* Calls itself until its stack has overflowed. */
#include <stdint.h>
#include <stdio.h>

#include "hal/exit.h"

static volatile uint64_t depth, deepest = UINT64_MAX;

__attribute__((noinline)) static uint64_t descend(uint64_t value) {
  volatile uint64_t frame[16];
  for (int i = 0; i < 16; ++i) frame[i] = value + (uint64_t)i;
  depth = depth + 1;
  if (depth == deepest) return value;
  return descend(frame[3]) + frame[7];
}

int main(void) {
  printf("descending\n");
  return descend(1) == 0 ? exit_done : exit_check_failed;
}
