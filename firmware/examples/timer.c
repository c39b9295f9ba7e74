/* SPDX-License-Identifier: Apache-2.0 */
/* A periodic interrupt of the timer, and delays. */
#include <stddef.h>
#include <stdio.h>

#include "hal/csr.h"
#include "hal/exit.h"
#include "hal/timer.h"
#include "hal/trap.h"

enum { period = 50, rounds = 4 };

static volatile unsigned beats;

static void beat(void* context) {
  (void)context;
  if (++beats < rounds) timer_call_after(period, beat, NULL);
}

int main(void) {
  const uint64_t begin = timer_now();
  timer_call_after(period, beat, NULL);
  const uint64_t state = interrupts_disable();
  while (beats < rounds) sleep_until_interrupt();
  interrupts_restore(state);
  printf("%u beats in %lu ticks\n", beats, (unsigned long)(timer_now() - begin));

  const uint64_t cycles = cycle_count();
  timer_sleep_us(25);
  printf("slept for 25 us: %lu cycles\n", (unsigned long)(cycle_count() - cycles));
  return exit_done;
}
