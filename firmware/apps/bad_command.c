/* SPDX-License-Identifier: Apache-2.0 */
/* Fault injection: rings the doorbell with a corrupt command. */
#include <stdio.h>
#include <string.h>

#include "driver/sequencer.h"
#include "hal/exit.h"

enum { ring_entries = 16 };

int main(void) {
  static struct sequencer seq;
  if (!sequencer_init(&seq, (struct bvp_command*)(uintptr_t)BVP_DRAM_BASE, ring_entries)) {
    sequencer_print_error(&seq);
    return exit_sequencer;
  }
  struct bvp_command* command = sequencer_next(&seq);
  memset(command, 0xa5, sizeof *command);
  printf("ringing the doorbell with a corrupt command\n");
  const uint32_t ticket = sequencer_push(&seq);
  sequencer_doorbell(&seq);
  if (sequencer_wait(&seq, ticket)) {
    printf("the sequencer took it\n");
    return exit_check_failed;
  }
  sequencer_print_error(&seq);
  return exit_sequencer;
}
