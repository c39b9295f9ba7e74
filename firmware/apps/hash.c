/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic without end, for measuring the speed of the CPU: a mixing function, some 30 instructions a round. */
#include <stdint.h>

volatile uint64_t result;

int main(void) {
  uint64_t a = 0x9e3779b97f4a7c15u, b = 1;
  for (;;) {
    for (uint32_t i = 0; i < 1u << 20; ++i) {
      a ^= a << 13;
      a ^= a >> 7;
      a ^= a << 17;
      b = (b ^ a) * 0xbf58476d1ce4e5b9u;
      b ^= b >> 31;
      a += b ^ (a << 3);
      b += a >> 11;
      a ^= b << 5;
      b ^= (b >> 9) + i;
      a += (b << 7) ^ (a >> 3);
    }
    result = a + b;
  }
}
