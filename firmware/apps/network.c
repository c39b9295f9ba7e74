/* SPDX-License-Identifier: Apache-2.0 */
/* The default application: runs the network that the simulator placed in DRAM. */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "driver/sequencer.h"
#include "hal/csr.h"
#include "hal/mmio.h"
#include "hal/simulation_control.h"
#include "hal/uart.h"
#include "runtime/network.h"

struct task_done {
  uint32_t task;
  const struct bvp_task* description;
  uint64_t cycle;
};

struct progress {
  const struct bvp_network_header* network;
  bool announced;
  uint32_t first_unwritten, unwritten;   /* tasks that were reported after the end */
  struct task_done last;                 /* the last of them */
  uint32_t last_task;                    /* that was reported */
  uint64_t end_cycles, end_instructions; /* mcycle and minstret when the network was done; 0 before */
};

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

static void write_done(uint64_t cycle) {
  uart_write(" done at cycle ");
  uart_write_number(cycle);
  uart_write("\n");
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

/* Says which command it was, as people know it. */
static void write_command(const struct bvp_network_header* network, uint32_t tag, uint32_t near) {
  struct network_command command;
  if (!network_find_command(network, tag, near, &command)) return;
  if (command.task == NULL) {
    printf("  command: the end of the network\n");
    return;
  }
  printf("  command: task %lu/%lu %s, %s %lu\n", (unsigned long)command.task_index + 1,
         (unsigned long)network->task_count, (const char*)command.task->name, command.phase,
         (unsigned long)command.step);
}

static void write_violation(void) {
  const uint64_t unit = BVP_PROTECTION_BASE;
  if (mmio_read32(unit + BVP_PROTECTION_STATUS) == 0) return;
  const uint32_t source = mmio_read32(unit + BVP_PROTECTION_VIOLATION_SOURCE);
  const uint64_t address = (uint64_t)mmio_read32(unit + BVP_PROTECTION_VIOLATION_ADDRESS_HI) << 32 |
                           mmio_read32(unit + BVP_PROTECTION_VIOLATION_ADDRESS_LO);
  printf("  protection: source %lu may not %s 0x%016lx\n",
         (unsigned long)(source & BVP_PROTECTION_VIOLATION_SOURCE_SOURCE_MASK),
         (source & BVP_PROTECTION_VIOLATION_SOURCE_WRITE_MASK) != 0 ? "write" : "read", (unsigned long)address);
  mmio_write32(unit + BVP_PROTECTION_STATUS, BVP_PROTECTION_STATUS_VIOLATION_MASK);
}

static void write_failure(const struct progress* progress, const struct sequencer* seq, enum network_result result) {
  const uint32_t near = progress->last_task;
  if (result == network_timed_out) {
    printf("the accelerator did not answer within %lu us\n", (unsigned long)seq->wait_limit_us);
    write_command(progress->network, network_awaited_tag(seq), near);
    return;
  }
  sequencer_print_error(seq);
  const struct sequencer_error error = sequencer_error_status(seq);
  if (error.code != 0) write_command(progress->network, error.tag, near);
  write_violation();
}

/* Runs the network, and again as often as the run allows while only the accelerator has failed. What it reads is there
 * still, as no task writes its own inputs. */
static enum network_result run_network(struct progress* progress, struct sequencer* seq,
                                       const struct network_observer* observer) {
  const struct bvp_network_header* network = progress->network;
  const struct bvp_run_options* options = network_options(network);
  uint32_t retries = options == NULL ? 0 : options->retries;
  for (;;) {
    const enum network_result result = network_run(network, seq, observer);
    const bool again = (result == network_sequencer_error || result == network_timed_out) && retries != 0;
    if (!again) return result;
    --retries;
    uart_release();
    write_failure(progress, seq, result);
    if (!sequencer_recover(seq)) {
      printf("the accelerator cannot be brought back\n");
      return result;
    }
    printf("recovered: the network is run again\n");
    progress->end_cycles = 0;
    progress->unwritten = 0;
    uart_hold();
  }
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
  if (result == network_bad_index) {
    printf("bad input: an index is not below the bound of its gather\n");
    return exit_bad_network;
  }
  if (result != network_ok) {
    uint32_t bad_task;
    const char* problem = network_check(network, &bad_task);
    if (problem == NULL) {
      write_failure(&progress, &seq, result);
      return exit_sequencer;
    }
    printf("bad network descriptor: %s (task %lu)\n", problem, (unsigned long)bad_task);
    return exit_bad_network;
  }
  uart_write("network done: ");
  uart_write_number(progress.end_cycles - cycles);
  uart_write(" cycles, ");
  uart_write_number(progress.end_instructions - instructions);
  uart_write(" instructions of the firmware\n");
  return exit_done;
}
