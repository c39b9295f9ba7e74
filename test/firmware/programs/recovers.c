/* SPDX-License-Identifier: Apache-2.0 */
/* Breaks the accelerator in several ways, brings it back, and finds that a network still runs on it each time. */
#include <stdio.h>
#include <string.h>

#include "driver/sequencer.h"
#include "hal/exit.h"
#include "hal/simulation_control.h"
#include "runtime/network.h"

static struct sequencer seq;
static const struct bvp_network_header* network;
static const struct network_observer nobody;
static int wrong;

static void expect(bool right, const char* what) {
  if (right) return;
  printf("wrong: %s\n", what);
  ++wrong;
}

/* The first launch of the network, as a command. */
static struct bvp_command first_launch(void) {
  const struct bvp_task* task = (const struct bvp_task*)(uintptr_t)network->tasks;
  const struct bvp_step* steps = (const struct bvp_step*)(uintptr_t)network->steps + task->first_step;
  return steps[task->weight_steps + task->input_steps].command;
}

static sequencer_ticket push(const struct bvp_command* command) {
  struct bvp_command* slot = sequencer_next(&seq);
  *slot = *command;
  slot->tag = 7;
  slot->flags = BVP_COMMAND_FLAG_INTERRUPT;
  slot->wait[0] = slot->wait[1] = slot->signal = BVP_SEMAPHORE_NONE;
  const sequencer_ticket ticket = sequencer_push(&seq);
  sequencer_doorbell(&seq);
  return ticket;
}

static struct bvp_command transfer(uint64_t source, uint64_t destination, uint32_t bytes, uint8_t channel) {
  const struct bvp_dma_descriptor descriptor = {
      .source = source, .destination = destination, .length = bytes, .count = {1, 1, 1}};
  struct bvp_command command;
  sequencer_command_clear(&command, BVP_OPCODE_DMA, 7);
  command.unit = channel;
  memcpy(command.registers, &descriptor, sizeof descriptor);
  return command;
}

static void recover_and_run(const char* after, uint32_t code) {
  expect(sequencer_error_status(&seq).code == code, after);
  expect(sequencer_recover(&seq), "the accelerator is ready again");
  expect(network_run(network, &seq, &nobody) == network_ok, "the network runs");
}

int main(void) {
  network = (const struct bvp_network_header*)simulation_argument();
  struct bvp_command* ring = (struct bvp_command*)(uintptr_t)network->ring;
  if (!sequencer_init(&seq, ring, network->ring_entries)) return exit_sequencer;
  sequencer_set_wait_limit(&seq, 2000);

  /* PEs reach outside of the scratchpad, in the middle of a kernel. */
  struct bvp_command launch = first_launch();
  for (int i = 0; i < 16; ++i) launch.registers[i] = 0x7fffff00;
  expect(sequencer_wait_within(&seq, push(&launch), 1000) == sequencer_failed, "a kernel fails");
  recover_and_run("kernel_failed", BVP_SEQUENCER_ERROR_KERNEL_FAILED);

  /* A kernel that takes longer than it may. */
  sequencer_set_limits(100, 0);
  launch = first_launch();
  expect(sequencer_wait_within(&seq, push(&launch), 1000) == sequencer_failed, "a kernel is stopped");
  expect(sequencer_error_status(&seq).tag == 7, "the error names the command");
  sequencer_set_limits(0, 0);
  recover_and_run("launch_timeout", BVP_SEQUENCER_ERROR_LAUNCH_TIMEOUT);

  /* One of several in a row, which is aborted while it runs. */
  sequencer_ticket aborted = push(&launch);
  for (int i = 0; i < 7; ++i) aborted = push(&launch);
  expect(sequencer_wait_within(&seq, aborted, 1) == sequencer_timed_out, "a kernel still runs");
  sequencer_abort(BVP_SEQUENCER_ABORT_ARRAY_MASK);
  expect(sequencer_wait_within(&seq, aborted, 1000) == sequencer_failed, "a kernel is aborted");
  recover_and_run("aborted", BVP_SEQUENCER_ERROR_ABORTED);

  /* A transfer into nowhere, and one that is too long. */
  struct bvp_command copy = transfer(BVP_DRAM_BASE, 0x30000040, 4096, 0);
  expect(sequencer_wait_within(&seq, push(&copy), 1000) == sequencer_failed, "a transfer fails");
  expect(sequencer_error_status(&seq).address == 0x30000040, "the error has the address");
  recover_and_run("dma_failed", BVP_SEQUENCER_ERROR_DMA_FAILED);
  sequencer_set_limits(0, 1000);
  copy = transfer(BVP_DRAM_BASE, BVP_SCRATCHPAD_BASE, 1 << 20, 1);
  expect(sequencer_wait_within(&seq, push(&copy), 1000) == sequencer_failed, "a transfer is stopped");
  const uint64_t address = sequencer_error_status(&seq).address;
  expect(address > BVP_SCRATCHPAD_BASE && address < BVP_SCRATCHPAD_BASE + (1 << 20), "it has come that far");
  sequencer_set_limits(0, 0);
  recover_and_run("dma_timeout", BVP_SEQUENCER_ERROR_DMA_TIMEOUT);

  /* A semaphore that nobody signals: only the limit of the wait helps. */
  struct bvp_command* waits = sequencer_next(&seq);
  sequencer_command_clear(waits, BVP_OPCODE_SYNC, 7);
  waits->wait[0] = 31;
  waits->flags = BVP_COMMAND_FLAG_INTERRUPT;
  const sequencer_ticket never = sequencer_push(&seq);
  sequencer_doorbell(&seq);
  expect(sequencer_wait_within(&seq, never, 50) == sequencer_timed_out, "a wait ends");
  recover_and_run("no error", 0);

  if (wrong == 0) printf("recovers: right\n");
  return wrong == 0 ? exit_done : exit_check_failed;
}
