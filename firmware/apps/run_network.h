/* SPDX-License-Identifier: Apache-2.0 */
/* What the applications that run networks have in common: retries, and what they say of failures. */
#ifndef APPS_RUN_NETWORK_H
#define APPS_RUN_NETWORK_H

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
  uint32_t retries;                      /* that are left */
  uint32_t rows_at_fault;                /* of PEs, a bit each, that were found last */
  uint64_t end_cycles, end_instructions; /* mcycle and minstret when the network was done; 0 before */
};

static void write_done(uint64_t cycle) {
  uart_write(" done at cycle ");
  uart_write_number(cycle);
  uart_write("\n");
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

static void write_rows(uint32_t rows) {
  for (uint32_t row = 0; rows >> row != 0; ++row)
    if ((rows >> row & 1) != 0) printf(" %lu", (unsigned long)row);
}

static void write_failure(const struct progress* progress, const struct sequencer* seq, enum network_result result) {
  const uint32_t near = progress->last_task;
  if (result == network_timed_out) {
    printf("the accelerator did not answer within %lu us\n", (unsigned long)seq->wait_limit_us);
    write_command(progress->network, network_awaited_tag(seq), near);
  } else {
    sequencer_print_error(seq);
    const struct sequencer_error error = sequencer_error_status(seq);
    if (error.code != 0) write_command(progress->network, error.tag, near);
    write_violation();
  }
  if (progress->rows_at_fault == 0) return;
  printf("  rows of PEs at fault:");
  write_rows(progress->rows_at_fault);
  printf("\n");
}

/* Leaves out the rows of PEs at fault, if there are any and the run allows that. False: the network cannot be run
 * without them. */
static bool leave_rows_out(struct progress* progress, struct sequencer* seq, enum network_result result) {
  const struct bvp_run_options* options = network_options(progress->network);
  if (options == NULL || options->rows == 0) return false;
  const struct network_repair repair = network_find_repair(progress->network);
  progress->rows_at_fault = repair.rows;
  if (repair.network == NULL) return false;
  uart_release();
  write_failure(progress, seq, result);
  if (!sequencer_recover(seq) || !network_leave_out(&repair, seq)) {
    printf("the accelerator cannot be brought back\n");
    return false;
  }
  printf("recovered: left out are the rows of PEs");
  write_rows(sequencer_rows_left_out());
  printf(repair.network == progress->network ? "; the network is run again\n"
                                             : "; the network is run again with the images for fewer rows\n");
  progress->network = repair.network;
  progress->unwritten = 0;
  uart_hold();
  return true;
}

static bool has_failed(enum network_result result) {
  return result == network_sequencer_error || result == network_timed_out;
}

/* Runs the network, and again as often as the run allows while only the accelerator has failed. What it reads is there
 * still, as no task writes its own inputs. */
static inline __attribute__((always_inline)) enum network_result try_network(struct progress* progress,
                                                                             struct sequencer* seq,
                                                                             const struct network_observer* observer) {
  const struct bvp_network_header* network = progress->network;
  const struct bvp_run_options* options = network_options(network);
  progress->retries = options == NULL ? 0 : options->retries;
  for (;;) {
    progress->end_cycles = 0;
    const enum network_result result = network_run(network, seq, observer);
    const bool again = has_failed(result) && progress->retries != 0;
    if (!again) return result;
    --progress->retries;
    uart_release();
    write_failure(progress, seq, result);
    if (!sequencer_recover(seq)) {
      printf("the accelerator cannot be brought back\n");
      return result;
    }
    printf("recovered: the network is run again\n");
    progress->unwritten = 0;
    uart_hold();
  }
}

/* Runs the network again without the rows of PEs at fault, as long as that fails with others. A function of its own, so
 * that a network that is carried out does not take an instruction more. */
static __attribute__((noinline)) enum network_result run_without_rows(struct progress* progress, struct sequencer* seq,
                                                                      const struct network_observer* observer,
                                                                      enum network_result result) {
  while (has_failed(result) && leave_rows_out(progress, seq, result)) result = try_network(progress, seq, observer);
  return result;
}

/* Runs the network as often as the run allows, and then without the rows of PEs at fault. */
static enum network_result run_network(struct progress* progress, struct sequencer* seq,
                                       const struct network_observer* observer) {
  const enum network_result result = try_network(progress, seq, observer);
  if (has_failed(result)) return run_without_rows(progress, seq, observer, result);
  progress->rows_at_fault = 0;
  return result;
}

/* Says why the network was not carried out, and sets the exit code of the application. False: it was. The function is
 * part of its caller, in which it costs a network that is carried out nothing but two comparisons. */
static inline __attribute__((always_inline)) bool explain_failure(const struct bvp_network_header* network,
                                                                  const struct progress* progress,
                                                                  const struct sequencer* seq,
                                                                  enum network_result result, int* exit_code) {
  if (result != network_ok) {
    uint32_t bad_task;
    const char* problem = network_check(network, &bad_task);
    if (problem == NULL) {
      write_failure(progress, seq, result);
      *exit_code = exit_sequencer;
      return true;
    }
    printf("bad network descriptor: %s (task %lu)\n", problem, (unsigned long)bad_task);
    *exit_code = exit_bad_network;
    return true;
  }
  return false;
}

#endif
