/* SPDX-License-Identifier: Apache-2.0 */
/* Fault injection: reads an address that nobody decodes, first with a handler that recovers, then without. */
#include <stdint.h>
#include <stdio.h>

#include "hal/exit.h"
#include "hal/mmio.h"
#include "hal/trap.h"

static const uint64_t unmapped = 0x30000008u;
static volatile uint64_t caught_cause, caught_value;

static bool skip_load(struct trap* trap) {
  caught_cause = trap->cause;
  caught_value = trap->value;
  /* The two lowest bits of an instruction tell 2 bytes from 4. */
  trap->pc += (*(const uint16_t*)(uintptr_t)trap->pc & 3) == 3 ? 4 : 2;
  return true;
}

int main(void) {
  trap_set_handler(skip_load);
  mmio_read32(unmapped);
  trap_set_handler(NULL);
  if (caught_cause != trap_load_access_fault || caught_value != unmapped) {
    printf("expected a load access fault at 0x%lx, got mcause %lu, mtval 0x%lx\n", (unsigned long)unmapped,
           (unsigned long)caught_cause, (unsigned long)caught_value);
    return exit_check_failed;
  }
  printf("recovered from: %s at 0x%lx; once more without a handler\n", trap_cause_text(caught_cause),
         (unsigned long)caught_value);
  mmio_read32(unmapped);
  return exit_check_failed;
}
