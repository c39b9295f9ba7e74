/* SPDX-License-Identifier: Apache-2.0 */
#include "hal/timer.h"

#include <stdbool.h>
#include <stddef.h>

#include "hal/csr.h"
#include "hal/mmio.h"
#include "hal/trap.h"

static void (*timer_handler)(void* context);
static void* timer_context;

uint64_t timer_now(void) { return mmio_read64(BVP_CLINT_BASE + BVP_CLINT_MTIME_LO); }

void timer_call_after(uint64_t ticks, void (*handler)(void* context), void* context) {
  CSR_CLEAR(mie, MIE_MTIE);
  timer_handler = handler;
  timer_context = context;
  mmio_write64(BVP_CLINT_BASE + BVP_CLINT_MTIMECMP_LO, timer_now() + ticks);
  CSR_SET(mie, MIE_MTIE);
}

void timer_cancel(void) { CSR_CLEAR(mie, MIE_MTIE); }

static volatile bool slept;

static void end_sleep(void* context) {
  (void)context;
  slept = true;
}

void timer_sleep(uint64_t ticks) {
  const uint64_t state = interrupts_disable();
  slept = false;
  timer_call_after(ticks, end_sleep, NULL);
  while (!slept) sleep_until_interrupt();
  interrupts_restore(state);
}

void timer_dispatch(void) {
  CSR_CLEAR(mie, MIE_MTIE);
  if (timer_handler != NULL) timer_handler(timer_context);
}
