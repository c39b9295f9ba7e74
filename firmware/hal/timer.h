/* SPDX-License-Identifier: Apache-2.0 */
/* The machine timer, a part of the CLINT. */
#ifndef HAL_TIMER_H
#define HAL_TIMER_H

#include <stdint.h>

#include "bvp_hw.h"
#include "hal/linkage.h"

HAL_BEGIN_DECLARATIONS

/* Ticks in a second, unless the scenario sets soc.clint.frequency_hz. */
#define TIMER_HZ BVP_DEFAULT_CLINT_FREQUENCY_HZ

uint64_t timer_now(void);

/* Calls `handler` once, `ticks` from now, from the interrupt; replaces a call that is still to come. */
void timer_call_after(uint64_t ticks, void (*handler)(void* context), void* context);
/* The call that is still to come does not happen. */
void timer_cancel(void);

/* Sleeps for so many ticks, and serves interrupts meanwhile. Replaces a call that is still to come. */
void timer_sleep(uint64_t ticks);
static inline void timer_sleep_us(uint64_t microseconds) { timer_sleep(microseconds * (TIMER_HZ / 1000000)); }

/* For the trap vector. */
void timer_dispatch(void);

HAL_END_DECLARATIONS

#endif
