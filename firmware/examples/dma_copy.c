/* SPDX-License-Identifier: Apache-2.0 */
/* Copies memory by a DMA command. */
#include <stdio.h>
#include <string.h>

#include "driver/sequencer.h"
#include "hal/csr.h"
#include "hal/exit.h"

enum { ring_entries = 16, words = 1024 };

static struct bvp_command ring[ring_entries] __attribute__((aligned(64)));
static uint64_t source[words], destination[words];
static struct sequencer seq;

static int stopped(void) {
  sequencer_print_error(&seq);
  return exit_sequencer;
}

int main(void) {
  for (uint64_t i = 0; i < words; ++i) source[i] = i * UINT64_C(0x9e3779b97f4a7c15);
  if (!sequencer_init(&seq, ring, ring_entries)) return stopped();

  const struct bvp_dma_descriptor descriptor = {
      .source = (uintptr_t)source, .destination = (uintptr_t)destination, .length = sizeof source, .count = {1, 1, 1}};
  struct bvp_command* command = sequencer_next(&seq);
  sequencer_command_clear(command, BVP_OPCODE_DMA, 1);
  memcpy(command->registers, &descriptor, sizeof descriptor);
  command->flags = BVP_COMMAND_FLAG_INTERRUPT;
  const uint64_t begin = cycle_count();
  const sequencer_ticket ticket = sequencer_push(&seq);
  sequencer_doorbell(&seq);
  if (!sequencer_wait(&seq, ticket)) return stopped();
  const uint64_t cycles = cycle_count() - begin;

  const bool right = memcmp(source, destination, sizeof source) == 0;
  printf("%s: %lu bytes in %lu cycles\n", right ? "copied" : "copied wrongly", (unsigned long)sizeof source,
         (unsigned long)cycles);
  return right ? exit_done : exit_check_failed;
}
