/* SPDX-License-Identifier: Apache-2.0 */
/* Stands for the firmware's header of this name: the timer rings in simulated time, a tick is 100 ns. */
#ifndef HAL_TIMER_H
#define HAL_TIMER_H

#include <stdint.h>

#define TIMER_HZ 10000000

uint64_t timer_now(void);
void timer_call_after(uint64_t ticks, void (*handler)(void* context), void* context);
void timer_cancel(void);

#endif
