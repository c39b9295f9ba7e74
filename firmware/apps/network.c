/* SPDX-License-Identifier: Apache-2.0 */
/* The default application: runs the network that the simulator placed in DRAM. */
#include <stdbool.h>
#include <stdio.h>

#include "driver/sequencer.h"
#include "hal/csr.h"
#include "hal/simulation_control.h"
#include "hal/uart.h"
#include "runtime/network.h"

struct progress {
  const struct bvp_network_header* network;
  bool announced;
};

/* Text is made when the accelerator has its commands, the first lines too. */
static void announce(struct progress* progress) {
  if (progress->announced) return;
  progress->announced = true;
  printf("butterfly-vp firmware: network runtime\n%lu tasks, %lu layers, ring of %lu commands\n",
         (unsigned long)progress->network->task_count, (unsigned long)progress->network->layer_count,
         (unsigned long)progress->network->ring_entries);
}

static void task_done(void* context, uint32_t task, const struct bvp_task* description, uint64_t cycle) {
  struct progress* progress = context;
  announce(progress);
  printf("task %lu/%lu %.*s done at cycle %lu\n", (unsigned long)task + 1, (unsigned long)progress->network->task_count,
         (int)sizeof description->name, (const char*)description->name, (unsigned long)cycle);
  simulation_progress(task);
}

static bool idle(void* context) {
  struct progress* progress = context;
  if (progress->announced) return uart_send_held();
  announce(progress);
  return true;
}

int main(void) {
  static struct sequencer seq;
  const struct bvp_network_header* network = (const struct bvp_network_header*)simulation_argument();
  if (network == NULL) {
    printf("butterfly-vp firmware: network runtime\nno network given\n");
    return exit_done;
  }
  uint32_t bad_task;
  const char* problem = network_check(network, &bad_task);
  if (problem != NULL) {
    printf("bad network descriptor: %s (task %lu)\n", problem, (unsigned long)bad_task);
    return exit_bad_network;
  }
  struct progress progress = {network, false};
  const struct network_observer observer = {task_done, idle, &progress};
  const uint64_t cycles = cycle_count();
  const uint64_t instructions = instruction_count();
  enum network_result result = network_sequencer_error;
  uart_hold();
  if (sequencer_init(&seq, (struct bvp_command*)(uintptr_t)network->ring, network->ring_entries))
    result = network_run(network, &seq, &observer);
  const uint64_t end_cycles = cycle_count();
  const uint64_t end_instructions = instruction_count();
  announce(&progress);
  if (result == network_bad_index) {
    printf("bad input: an index is not below the bound of its gather\n");
    return exit_bad_network;
  }
  if (result != network_ok) {
    sequencer_print_error(&seq);
    return exit_sequencer;
  }
  printf("network done: %lu cycles, %lu instructions of the firmware\n", (unsigned long)(end_cycles - cycles),
         (unsigned long)(end_instructions - instructions));
  return exit_done;
}
