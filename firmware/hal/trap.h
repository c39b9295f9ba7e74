/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions. Without a handler of the application they are reported on the UART and end the run. */
#ifndef HAL_TRAP_H
#define HAL_TRAP_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/linkage.h"

HAL_BEGIN_DECLARATIONS

struct trap {
  uint64_t cause; /* mcause */
  uint64_t pc;    /* mepc: the instruction that trapped; the handler may change where to go on */
  uint64_t value; /* mtval: the address or the instruction */
};

enum trap_cause {
  trap_instruction_misaligned = 0,
  trap_instruction_access_fault = 1,
  trap_illegal_instruction = 2,
  trap_breakpoint = 3,
  trap_load_misaligned = 4,
  trap_load_access_fault = 5,
  trap_store_misaligned = 6,
  trap_store_access_fault = 7,
  trap_call_from_machine_mode = 11
};

/* True: handled, go on at trap->pc. */
typedef bool (*trap_handler)(struct trap* trap);

/* NULL: the default. */
void trap_set_handler(trap_handler handler);

/* Sleeps until an enabled interrupt is pending and serves it. To be called with interrupts held back: between the
 * check of a condition and the sleep nothing can then be missed. */
void sleep_until_interrupt(void);

const char* trap_cause_text(uint64_t cause);

HAL_END_DECLARATIONS

#endif
