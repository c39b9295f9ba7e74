/* SPDX-License-Identifier: Apache-2.0 */
/* memcpy and memset by words of 8 bytes. Those of Debian's picolibc are built for size and move one byte in six
   instructions, and the runtime clears and copies commands of 128 bytes. */
#include <stddef.h>
#include <stdint.h>

typedef uint64_t __attribute__((may_alias)) word;

/* Without the attribute the compiler would turn the loops into calls of the functions that they define. */
#define NO_CALLS __attribute__((optimize("no-tree-loop-distribute-patterns")))

NO_CALLS void* memcpy(void* restrict to, const void* restrict from, size_t bytes) {
  uint8_t* out = to;
  const uint8_t* in = from;
  if ((((uintptr_t)out | (uintptr_t)in) & 7) == 0) {
    for (; bytes >= 8; bytes -= 8, out += 8, in += 8) *(word*)out = *(const word*)in;
  }
  for (; bytes != 0; --bytes) *out++ = *in++;
  return to;
}

NO_CALLS void* memset(void* to, int value, size_t bytes) {
  uint8_t* out = to;
  if (((uintptr_t)out & 7) == 0) {
    const word pattern = (uint8_t)value * UINT64_C(0x0101010101010101);
    for (; bytes >= 8; bytes -= 8, out += 8) *(word*)out = pattern;
  }
  for (; bytes != 0; --bytes) *out++ = (uint8_t)value;
  return to;
}
