/* SPDX-License-Identifier: Apache-2.0 */
/* Says hello, and copies a buffer in DRAM by a DMA command. */
#include <stdio.h>
#include <string.h>

#include "driver/sequencer.h"
#include "hal/csr.h"
#include "hal/exit.h"

enum { ring_entries = 16, words = 1024 };

int main(void) {
  static struct sequencer seq;
  printf("hello from RV64, cycle %lu\n", (unsigned long)cycle_count());

  /* Nothing else is in DRAM: the first megabyte holds the ring, then the buffers. */
  struct bvp_command* ring = (struct bvp_command*)(uintptr_t)BVP_DRAM_BASE;
  uint64_t* source = (uint64_t*)(uintptr_t)(BVP_DRAM_BASE + 0x100000);
  uint64_t* destination = source + words;
  for (uint64_t i = 0; i < words; ++i) {
    source[i] = i * UINT64_C(0x9e3779b97f4a7c15);
    destination[i] = 0;
  }
  if (!sequencer_init(&seq, ring, ring_entries)) {
    sequencer_print_error(&seq);
    return exit_sequencer;
  }

  const struct bvp_dma_descriptor descriptor = {.source = (uintptr_t)source,
                                                .destination = (uintptr_t)destination,
                                                .length = words * sizeof *source,
                                                .count = {1, 1, 1}};
  struct bvp_command* command = sequencer_next(&seq);
  sequencer_command_clear(command, BVP_OPCODE_DMA, 1);
  memcpy(command->registers, &descriptor, sizeof descriptor);
  command->flags = BVP_COMMAND_FLAG_INTERRUPT;
  const uint64_t start = cycle_count();
  const uint32_t ticket = sequencer_push(&seq);
  sequencer_doorbell(&seq);
  if (!sequencer_wait(&seq, ticket)) {
    sequencer_print_error(&seq);
    return exit_sequencer;
  }
  const uint64_t end = cycle_count();
  if (memcmp(source, destination, words * sizeof *source) != 0) {
    printf("the copy differs\n");
    return exit_check_failed;
  }
  printf("copied %lu bytes by DMA in %lu cycles\n", (unsigned long)(words * sizeof *source),
         (unsigned long)(end - start));
  return exit_done;
}
