/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the first tile of a network's first task, step by step: transfers, one kernel after the other, transfers. */
#include <stdio.h>

#include "driver/sequencer.h"
#include "hal/csr.h"
#include "hal/exit.h"
#include "hal/simulation_control.h"

static struct sequencer seq;

/* Does `count` steps and waits for them. A step's command is that of tile (0, 0, 0); without semaphores, because
 * nothing runs beside it. */
static bool do_steps(const char* name, const struct bvp_step* steps, uint32_t count, bool only_tile) {
  const uint64_t begin = cycle_count();
  sequencer_ticket ticket = 0;
  for (uint32_t i = 0; i < count; ++i) {
    struct bvp_command* command = sequencer_next(&seq);
    if (command == NULL) return false;
    *command = steps[i].command;
    command->wait[0] = command->wait[1] = command->signal = BVP_SEMAPHORE_NONE;
    command->tag = i;
    if (only_tile && steps[i].tail_index != BVP_TAIL_NONE) {
      const uint32_t first_count = offsetof(struct bvp_dma_descriptor, count) / sizeof(uint32_t);
      uint32_t* counts = command->opcode == BVP_OPCODE_DMA ? command->registers + first_count : command->counts;
      counts[steps[i].tail_index] = steps[i].tail_count;
    }
    command->flags = BVP_COMMAND_FLAG_INTERRUPT;
    ticket = sequencer_push(&seq);
    sequencer_doorbell(&seq);
    if (!sequencer_wait(&seq, ticket)) return false;
  }
  printf("%s: %lu commands, %lu cycles\n", name, (unsigned long)count, (unsigned long)(cycle_count() - begin));
  return true;
}

int main(void) {
  const struct bvp_network_header* network = (const struct bvp_network_header*)simulation_argument();
  if (network == NULL) {
    printf("no network given: run it with a scenario\n");
    return exit_bad_network;
  }
  const struct bvp_task* task = (const struct bvp_task*)(uintptr_t)network->tasks;
  const struct bvp_step* step = (const struct bvp_step*)(uintptr_t)network->steps + task->first_step;
  const bool only_tile = task->tiles[0] == 1;
  printf("%s\n", (const char*)task->name);
  bool done = sequencer_init(&seq, (struct bvp_command*)(uintptr_t)network->ring, network->ring_entries);
  done = done && do_steps("weights", step, task->weight_steps, only_tile);
  step += task->weight_steps;
  done = done && do_steps("inputs", step, task->input_steps, only_tile);
  step += task->input_steps;
  done = done && do_steps("kernels", step, task->compute_steps, only_tile);
  step += task->compute_steps;
  done = done && do_steps("outputs", step, task->output_steps, only_tile);
  if (!done) sequencer_print_error(&seq);
  return done ? exit_done : exit_sequencer;
}
