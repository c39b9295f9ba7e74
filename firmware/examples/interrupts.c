/* SPDX-License-Identifier: Apache-2.0 */
/* Waits for the same copy twice: asleep until its interrupt, and by asking again and again. */
#include <stdio.h>
#include <string.h>

#include "driver/sequencer.h"
#include "hal/csr.h"
#include "hal/exit.h"

enum { ring_entries = 16, bytes = 16384 };

static struct bvp_command ring[ring_entries] __attribute__((aligned(64)));
static uint8_t source[bytes], destination[bytes];
static struct sequencer seq;

static bool copy(const char* name, bool interrupt) {
  const struct bvp_dma_descriptor descriptor = {
      .source = (uintptr_t)source, .destination = (uintptr_t)destination, .length = bytes, .count = {1, 1, 1}};
  struct bvp_command* command = sequencer_next(&seq);
  if (command == NULL) return false;
  sequencer_command_clear(command, BVP_OPCODE_DMA, 1);
  memcpy(command->registers, &descriptor, sizeof descriptor);
  if (interrupt) command->flags = BVP_COMMAND_FLAG_INTERRUPT;
  const sequencer_ticket ticket = sequencer_push(&seq);
  const uint64_t cycles = cycle_count(), instructions = instruction_count();
  sequencer_doorbell(&seq);
  if (!sequencer_wait(&seq, ticket)) return false;
  printf("%s: %lu cycles, %lu instructions\n", name, (unsigned long)(cycle_count() - cycles),
         (unsigned long)(instruction_count() - instructions));
  return true;
}

int main(void) {
  if (sequencer_init(&seq, ring, ring_entries) && copy("interrupt", true) && copy("polling", false)) return exit_done;
  sequencer_print_error(&seq);
  return exit_sequencer;
}
