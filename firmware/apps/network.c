/* SPDX-License-Identifier: Apache-2.0 */
/* The default application: runs the network that the simulator placed in DRAM. */
#include "run_network.h"

/* Text is formatted only while the accelerator has commands; this includes the first lines. */
static void announce(struct progress* progress) {
  if (progress->announced) return;
  progress->announced = true;
  uart_write("butterfly-vp firmware: network runtime\n");
  uart_write_number(progress->network->task_count);
  uart_write(" tasks, ");
  uart_write_number(progress->network->layer_count);
  uart_write(" layers, ring of ");
  uart_write_number(progress->network->ring_entries);
  uart_write(" commands\n");
}

static void write_task(const struct bvp_network_header* network, const struct task_done* done) {
  uart_write("task ");
  uart_write_number(done->task + 1);
  uart_write("/");
  uart_write_number(network->task_count);
  uart_write(" ");
  const char* name = (const char*)done->description->name;
  for (size_t i = 0; i < sizeof done->description->name && name[i] != '\0'; ++i) uart_put(name[i]);
  write_done(done->cycle);
}

/* Tasks that are reported after the end of the network share a line: the accelerator has nothing to do while the line
 * is sent. */
static void task_done(void* context, uint32_t task, const struct bvp_task* description, uint64_t cycle) {
  struct progress* progress = context;
  const struct task_done done = {task, description, cycle};
  simulation_progress(task);
  progress->last_task = task;
  if (progress->end_cycles == 0) {
    announce(progress);
    write_task(progress->network, &done);
    return;
  }
  if (progress->unwritten++ == 0) progress->first_unwritten = task;
  progress->last = done;
}

static void write_unwritten(const struct progress* progress) {
  if (progress->unwritten == 1) write_task(progress->network, &progress->last);
  if (progress->unwritten < 2) return;
  uart_write("tasks ");
  uart_write_number(progress->first_unwritten + 1);
  uart_write(" to ");
  uart_write_number(progress->last.task + 1);
  write_done(progress->last.cycle);
}

static bool idle(void* context) {
  struct progress* progress = context;
  if (progress->announced) return uart_send_held();
  announce(progress);
  return true;
}

static void finished(void* context) {
  struct progress* progress = context;
  progress->end_cycles = cycle_count();
  progress->end_instructions = instruction_count();
  uart_release();
}

int main(void) {
  static struct sequencer seq;
  const struct bvp_network_header* network = (const struct bvp_network_header*)simulation_argument();
  if (network == NULL) {
    printf("butterfly-vp firmware: network runtime\nno network given\n");
    return exit_done;
  }
  struct progress progress = {.network = network};
  const struct network_observer observer = {task_done, idle, finished, &progress};
  const uint64_t cycles = cycle_count();
  const uint64_t instructions = instruction_count();
  enum network_result result = network_sequencer_error;
  uart_hold();
  if (sequencer_init(&seq, (struct bvp_command*)(uintptr_t)network->ring, network->ring_entries)) {
    network_prepare(network, &seq);
    result = run_network(&progress, &seq, &observer);
  }
  announce(&progress);
  write_unwritten(&progress);
  int exit_code;
  if (explain_failure(network, &progress, &seq, result, &exit_code)) return exit_code;
  uart_write("network done: ");
  uart_write_number(progress.end_cycles - cycles);
  uart_write(" cycles, ");
  uart_write_number(progress.end_instructions - instructions);
  uart_write(" instructions of the firmware\n");
  return exit_done;
}
