/* SPDX-License-Identifier: Apache-2.0 */
/* The default application: runs the network that the simulator placed in DRAM. */
#include <stdio.h>

#include "driver/sequencer.h"
#include "hal/csr.h"
#include "hal/simulation_control.h"
#include "runtime/network.h"

struct progress {
  uint32_t task_count;
};

static void task_done(void* context, uint32_t task, const struct bvp_task* description) {
  const struct progress* progress = context;
  printf("task %lu/%lu %.*s done at cycle %lu\n", (unsigned long)task + 1, (unsigned long)progress->task_count,
         (int)sizeof description->name, (const char*)description->name, (unsigned long)cycle_count());
  simulation_progress(task);
}

int main(void) {
  static struct sequencer seq;
  const struct bvp_network_header* network = (const struct bvp_network_header*)simulation_argument();
  printf("butterfly-vp firmware: network runtime\n");
  if (network == NULL) {
    printf("no network given\n");
    return exit_done;
  }
  uint32_t bad_task;
  const char* problem = network_check(network, &bad_task);
  if (problem != NULL) {
    printf("bad network descriptor: %s (task %lu)\n", problem, (unsigned long)bad_task);
    return exit_bad_network;
  }
  printf("%lu tasks, %lu layers, ring of %lu commands\n", (unsigned long)network->task_count,
         (unsigned long)network->layer_count, (unsigned long)network->ring_entries);
  struct progress progress = {network->task_count};
  const struct network_observer observer = {task_done, &progress};
  const uint64_t cycles = cycle_count();
  const uint64_t instructions = instruction_count();
  enum network_result result = network_sequencer_error;
  if (sequencer_init(&seq, (struct bvp_command*)(uintptr_t)network->ring, network->ring_entries))
    result = network_run(network, &seq, &observer);
  if (result == network_bad_index) {
    printf("bad input: an index is not below the bound of its gather\n");
    return exit_bad_network;
  }
  if (result != network_ok) {
    sequencer_print_error(&seq);
    return exit_sequencer;
  }
  printf("network done: %lu cycles, %lu instructions of the firmware\n", (unsigned long)(cycle_count() - cycles),
         (unsigned long)(instruction_count() - instructions));
  return exit_done;
}
