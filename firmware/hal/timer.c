/* SPDX-License-Identifier: Apache-2.0 */
#include "hal/timer.h"

#include <stddef.h>

#include "bvp_hw.h"
#include "hal/csr.h"
#include "hal/mmio.h"

static void (*timer_handler)(void* context);
static void* timer_context;

static uint32_t read_register(uint32_t offset) { return mmio_read32(BVP_TIMER_BASE + offset); }
static void write_register(uint32_t offset, uint32_t value) { mmio_write32(BVP_TIMER_BASE + offset, value); }

uint64_t timer_now(void) {
  for (;;) {
    const uint32_t high = read_register(BVP_TIMER_MTIME_HI);
    const uint32_t low = read_register(BVP_TIMER_MTIME_LO);
    if (read_register(BVP_TIMER_MTIME_HI) == high) return (uint64_t)high << 32 | low;
  }
}

void timer_call_after(uint64_t ticks, void (*handler)(void* context), void* context) {
  CSR_CLEAR(mie, MIE_MTIE);
  timer_handler = handler;
  timer_context = context;
  const uint64_t time = timer_now() + ticks;
  /* The high word is set to its largest value first, so that no half-written value matches. */
  write_register(BVP_TIMER_MTIMECMP_HI, UINT32_MAX);
  write_register(BVP_TIMER_MTIMECMP_LO, (uint32_t)time);
  write_register(BVP_TIMER_MTIMECMP_HI, (uint32_t)(time >> 32));
  CSR_SET(mie, MIE_MTIE);
}

void timer_dispatch(void) {
  CSR_CLEAR(mie, MIE_MTIE);
  if (timer_handler != NULL) timer_handler(timer_context);
}
