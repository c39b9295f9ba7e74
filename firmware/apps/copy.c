/* SPDX-License-Identifier: Apache-2.0 */
/* Copies memory without end, for measuring the speed of loads and stores. */
#include <stddef.h>
#include <stdint.h>

enum { words = 4096 };

static uint64_t memory[2][words];

int main(void) {
  for (uint32_t round = 0;; ++round) {
    const volatile uint64_t* from = memory[round % 2];
    volatile uint64_t* to = memory[(round + 1) % 2];
    for (size_t i = 0; i < words; i += 4) {
      to[i] = from[i];
      to[i + 1] = from[i + 1];
      to[i + 2] = from[i + 2];
      to[i + 3] = from[i + 3];
    }
  }
}
