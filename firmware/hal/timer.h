/* SPDX-License-Identifier: Apache-2.0 */
/* The machine timer. */
#ifndef HAL_TIMER_H
#define HAL_TIMER_H

#include <stdint.h>

uint64_t timer_now(void);

/* Calls `handler` once, `ticks` from now, from the interrupt; replaces a call that is still to come. */
void timer_call_after(uint64_t ticks, void (*handler)(void* context), void* context);

/* For the trap vector. */
void timer_dispatch(void);

#endif
