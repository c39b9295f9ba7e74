/* SPDX-License-Identifier: Apache-2.0 */
/* A ticket is reached when its own command has completed, whatever commands of other units do. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "driver/sequencer.h"
#include "hal/exit.h"

enum { ring_entries = 16, large = 1 << 16, small = 64, rounds = 20 };

static struct sequencer seq;
static uint8_t* const source = (uint8_t*)(uintptr_t)(BVP_DRAM_BASE + 0x100000);
static uint8_t* const destination = (uint8_t*)(uintptr_t)(BVP_DRAM_BASE + 0x200000);

static sequencer_ticket copy(uint8_t channel, uint32_t offset, uint32_t bytes, bool interrupt) {
  const struct bvp_dma_descriptor descriptor = {.source = (uintptr_t)source + offset,
                                                .destination = (uintptr_t)destination + offset,
                                                .length = bytes,
                                                .count = {1, 1, 1}};
  struct bvp_command* command = sequencer_next(&seq);
  sequencer_command_clear(command, BVP_OPCODE_DMA, offset);
  command->unit = channel;
  memcpy(command->registers, &descriptor, sizeof descriptor);
  if (interrupt) command->flags = BVP_COMMAND_FLAG_INTERRUPT;
  return sequencer_push(&seq);
}

static sequencer_ticket sync(void) {
  struct bvp_command* command = sequencer_next(&seq);
  sequencer_command_clear(command, BVP_OPCODE_SYNC, 0);
  command->flags = BVP_COMMAND_FLAG_INTERRUPT;
  return sequencer_push(&seq);
}

static bool waits(sequencer_ticket ticket, uint32_t offset, uint32_t bytes, const char* what) {
  if (!sequencer_wait(&seq, ticket)) {
    sequencer_print_error(&seq);
    return false;
  }
  if (memcmp(source + offset, destination + offset, bytes) == 0) return true;
  printf("%s: the wait ended before the transfer\n", what);
  return false;
}

int main(void) {
  if (!sequencer_init(&seq, (struct bvp_command*)(uintptr_t)BVP_DRAM_BASE, ring_entries)) return exit_sequencer;
  bool right = true;
  for (uint32_t round = 0; round < rounds && right; ++round) {
    for (uint32_t i = 0; i < large + 2 * small; ++i) source[i] = (uint8_t)(i * 7 + round + 1);
    const bool interrupt = round % 2 == 0;
    const sequencer_ticket slow = copy(round % 3 == 0, 0, large, interrupt);
    const sequencer_ticket quick = copy(round % 3 != 0, large, small, true);
    const sequencer_ticket at_once = sync();
    const sequencer_ticket last = copy(round % 3 != 0, large + small, small, interrupt);
    sequencer_doorbell(&seq);
    if (round % 4 < 2) right = sequencer_wait(&seq, at_once);
    right = right && waits(slow, 0, large, "slow transfer") && waits(quick, large, small, "quick transfer") &&
            waits(last, large + small, small, "last transfer") && sequencer_wait(&seq, at_once);
  }
  printf(right ? "tickets: right\n" : "tickets: failed\n");
  return right ? exit_done : exit_check_failed;
}
