/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that leave the open windows: a transfer of each channel, a fetch of commands and of an image, and PEs. */
#include <stdio.h>
#include <string.h>

#include "driver/sequencer.h"
#include "hal/exit.h"
#include "hal/mmio.h"
#include "hal/simulation_control.h"
#include "runtime/network.h"

enum { ring_entries = 16, source_sequencer = 0, source_pes = 1, source_dma = 2 };

static struct sequencer seq;
static struct bvp_command ring[ring_entries] __attribute__((aligned(64)));
/* Aligned to bursts of the DMA. */
static uint8_t buffer[1024] __attribute__((aligned(256))), target[1024] __attribute__((aligned(256)));
static int wrong;

static void expect(bool right, const char* what) {
  if (right) return;
  printf("wrong: %s\n", what);
  ++wrong;
}

static uint32_t read_unit(uint32_t offset) { return mmio_read32(BVP_PROTECTION_BASE + offset); }
static void write_unit(uint32_t offset, uint32_t value) { mmio_write32(BVP_PROTECTION_BASE + offset, value); }

static void open_window(uint32_t index, const void* base, uint32_t size, uint32_t config) {
  write_unit(BVP_PROTECTION_BASE_LO(index), (uint32_t)(uintptr_t)base);
  write_unit(BVP_PROTECTION_BASE_HI(index), (uint32_t)((uintptr_t)base >> 32));
  write_unit(BVP_PROTECTION_SIZE_LO(index), size);
  write_unit(BVP_PROTECTION_SIZE_HI(index), 0);
  write_unit(BVP_PROTECTION_CONFIG(index), config);
}

static uint32_t by(uint32_t source) { return UINT32_C(1) << (source + BVP_PROTECTION_CONFIG_SOURCES_SHIFT); }

static enum sequencer_result run(const struct bvp_command* command) {
  struct bvp_command* slot = sequencer_next(&seq);
  *slot = *command;
  slot->flags = BVP_COMMAND_FLAG_INTERRUPT;
  const sequencer_ticket ticket = sequencer_push(&seq);
  sequencer_doorbell(&seq);
  return sequencer_wait_within(&seq, ticket, 1000);
}

static enum sequencer_result copy(uint8_t channel, const void* from, void* to, uint32_t bytes) {
  const struct bvp_dma_descriptor descriptor = {
      .source = (uintptr_t)from, .destination = (uintptr_t)to, .length = bytes, .count = {1, 1, 1}};
  struct bvp_command command;
  sequencer_command_clear(&command, BVP_OPCODE_DMA, 1);
  command.unit = channel;
  memcpy(command.registers, &descriptor, sizeof descriptor);
  return run(&command);
}

/* The violation is that of this source, and the accelerator comes back. */
static void refused(const char* what, uint32_t source, bool write, uint64_t address) {
  const uint64_t at =
      (uint64_t)read_unit(BVP_PROTECTION_VIOLATION_ADDRESS_HI) << 32 | read_unit(BVP_PROTECTION_VIOLATION_ADDRESS_LO);
  const uint32_t who = read_unit(BVP_PROTECTION_VIOLATION_SOURCE);
  expect(read_unit(BVP_PROTECTION_STATUS) == BVP_PROTECTION_STATUS_VIOLATION_MASK, what);
  expect((who & BVP_PROTECTION_VIOLATION_SOURCE_SOURCE_MASK) == source, what);
  expect(((who & BVP_PROTECTION_VIOLATION_SOURCE_WRITE_MASK) != 0) == write, what);
  if (address != 0) expect(at == address, what);
  write_unit(BVP_PROTECTION_STATUS, BVP_PROTECTION_STATUS_VIOLATION_MASK);
  expect(sequencer_recover(&seq), what);
}

static void check_transfers(void) {
  memset(target, 0, sizeof target);
  expect(copy(0, buffer, target, 512) == sequencer_done, "an open transfer");
  expect(memcmp(buffer, target, 512) == 0, "its data");
  memset(target, 0, sizeof target);
  expect(copy(0, buffer, target, 1024) == sequencer_failed, "a transfer beyond the window");
  refused("a write beyond the window", source_dma, true, (uintptr_t)target + 512);
  for (int i = 512; i < 1024; ++i) expect(target[i] == 0, "nothing is written beyond the window");
  expect(copy(1, buffer, target, 64) == sequencer_failed, "a transfer of another channel");
  refused("a read of another channel", source_dma + 1, false, (uintptr_t)buffer);
}

static void check_array(const struct bvp_network_header* network) {
  const struct bvp_task* task = (const struct bvp_task*)(uintptr_t)network->tasks;
  const struct bvp_step* steps = (const struct bvp_step*)(uintptr_t)network->steps + task->first_step;
  struct bvp_command launch = steps[task->weight_steps + task->input_steps].command;
  launch.wait[0] = launch.wait[1] = launch.signal = BVP_SEMAPHORE_NONE;
  expect(run(&launch) == sequencer_failed, "a launch whose image is closed");
  refused("a read of an image", source_sequencer, false, launch.image);
  open_window(2, (const void*)(uintptr_t)launch.image, launch.image_bytes, BVP_PROTECTION_CONFIG_READ_MASK | by(0));
  expect(run(&launch) == sequencer_failed, "a launch whose PEs reach nothing");
  refused("an access of the PEs", source_pes, false, 0);
  open_window(3, (const void*)BVP_SCRATCHPAD_BASE, BVP_SCRATCHPAD_SPAN,
              BVP_PROTECTION_CONFIG_READ_MASK | BVP_PROTECTION_CONFIG_WRITE_MASK | by(source_pes));
  expect(run(&launch) == sequencer_done, "a launch that may reach the scratchpad");
}

int main(void) {
  for (int i = 0; i < 1024; ++i) buffer[i] = (uint8_t)(i * 7 + 1);
  if (!sequencer_init(&seq, ring, ring_entries)) return exit_sequencer;
  open_window(0, ring, sizeof ring, BVP_PROTECTION_CONFIG_READ_MASK | by(source_sequencer));
  open_window(1, buffer, sizeof buffer, BVP_PROTECTION_CONFIG_READ_MASK | by(source_dma));
  open_window(4, target, 512, BVP_PROTECTION_CONFIG_WRITE_MASK | by(source_dma));
  write_unit(BVP_PROTECTION_CONTROL, BVP_PROTECTION_CONTROL_ENABLE_MASK);
  check_transfers();
  check_array((const struct bvp_network_header*)simulation_argument());
  /* A ring that the sequencer may not read. */
  open_window(0, ring, 0, 0);
  struct bvp_command nothing;
  sequencer_command_clear(&nothing, BVP_OPCODE_SYNC, 1);
  expect(run(&nothing) == sequencer_failed, "a fetch of commands");
  refused("a read of the ring", source_sequencer, false, 0);
  if (wrong == 0) printf("protects: right\n");
  return wrong == 0 ? exit_done : exit_check_failed;
}
