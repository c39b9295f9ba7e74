/* SPDX-License-Identifier: Apache-2.0 */
#include "hal/trap.h"

#include <stddef.h>
#include <stdio.h>

#include "hal/csr.h"
#include "hal/exit.h"
#include "hal/interrupt_controller.h"
#include "hal/software_interrupt.h"
#include "hal/timer.h"

#define CAUSE_INTERRUPT (UINT64_C(1) << 63)
#define CAUSE_MACHINE_SOFTWARE 3u
#define CAUSE_MACHINE_TIMER 7u
#define CAUSE_MACHINE_EXTERNAL 11u

static trap_handler application_handler;

void trap_set_handler(trap_handler handler) { application_handler = handler; }

const char* trap_cause_text(uint64_t cause) {
  static const char* const texts[] = {"instruction address misaligned",
                                      "instruction access fault",
                                      "illegal instruction",
                                      "breakpoint",
                                      "load address misaligned",
                                      "load access fault",
                                      "store address misaligned",
                                      "store access fault",
                                      "call from user mode",
                                      "call from supervisor mode",
                                      "reserved",
                                      "call from machine mode",
                                      "instruction page fault",
                                      "load page fault",
                                      "reserved",
                                      "store page fault"};
  return cause < sizeof texts / sizeof texts[0] ? texts[cause] : "unknown cause";
}

void sleep_until_interrupt(void) {
  wait_for_interrupt();
  interrupt_controller_dispatch();
  const uint64_t ready = CSR_READ(mip) & CSR_READ(mie);
  if ((ready & MIE_MTIE) != 0) timer_dispatch();
  if ((ready & MIE_MSIE) != 0) software_interrupt_dispatch();
}

static void unhandled(const struct trap* trap) {
  /* If printing traps as well, nothing more is printed. */
  static bool reporting;
  if (!reporting) {
    reporting = true;
    printf("trap: %s (mcause %lu) at pc 0x%016lx, mtval 0x%016lx\n", trap_cause_text(trap->cause),
           (unsigned long)trap->cause, (unsigned long)trap->pc, (unsigned long)trap->value);
  }
  exit_simulation(exit_trap);
}

/* Called from the trap vector, on a stack of its own, when the stack has no room for what the vector saves. */
void stack_overflow(uint64_t cause, uint64_t pc, uint64_t sp);
void stack_overflow(uint64_t cause, uint64_t pc, uint64_t sp) {
  extern char __stack_bottom[], __stack_top[];
  printf("trap: stack overflow at pc 0x%016lx: sp 0x%016lx, the stack is 0x%lx to 0x%lx (mcause 0x%lx)\n",
         (unsigned long)pc, (unsigned long)sp, (unsigned long)__stack_bottom, (unsigned long)__stack_top,
         (unsigned long)cause);
  exit_simulation(exit_trap);
}

/* Called from the trap vector; returns the PC at which the program continues. */
uint64_t trap_dispatch(uint64_t cause, uint64_t pc, uint64_t value);
uint64_t trap_dispatch(uint64_t cause, uint64_t pc, uint64_t value) {
  struct trap trap = {cause, pc, value};
  if (cause == (CAUSE_INTERRUPT | CAUSE_MACHINE_EXTERNAL)) {
    interrupt_controller_dispatch();
  } else if (cause == (CAUSE_INTERRUPT | CAUSE_MACHINE_TIMER)) {
    timer_dispatch();
  } else if (cause == (CAUSE_INTERRUPT | CAUSE_MACHINE_SOFTWARE)) {
    software_interrupt_dispatch();
  } else if (application_handler == NULL || !application_handler(&trap)) {
    unhandled(&trap);
  }
  return trap.pc;
}
