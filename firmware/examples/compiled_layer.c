/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the first layer of a network that `butterfly-vp compile` has left: its memory contents are a part of this
 * program, and its tasks are done command by command, without the runtime. */
#include <stdio.h>
#include <string.h>

#include "driver/sequencer.h"
#include "hal/csr.h"
#include "hal/exit.h"
#include "network.h" /* made by `butterfly-vp compile` */

static struct sequencer seq;

struct tile {
  uint32_t index[3];
  bool tail; /* the last one of the innermost level */
};

static void add_to_address(uint32_t* words, int64_t bytes) {
  uint64_t address;
  memcpy(&address, words, sizeof address);
  address += (uint64_t)bytes;
  memcpy(words, &address, sizeof address);
}

static int64_t distance(const int64_t* strides, const struct tile* tile) {
  int64_t bytes = 0;
  for (int level = 0; level < 3; ++level) bytes += strides[level] * (int64_t)tile->index[level];
  return bytes;
}

/* Does a step for a tile, in half 0 of the scratchpad, and waits for it: so no semaphores are needed. */
static bool do_step(const struct bvp_step* step, const struct tile* tile) {
  const bool tail = tile->tail && step->tail_index != BVP_TAIL_NONE;
  if (tail && step->tail_count == 0) return true;
  struct bvp_command* command = sequencer_next(&seq);
  if (command == NULL) return false;
  *command = step->command;
  command->wait[0] = command->wait[1] = command->signal = BVP_SEMAPHORE_NONE;
  command->flags = BVP_COMMAND_FLAG_INTERRUPT;
  uint32_t* registers = command->registers;
  if (command->opcode == BVP_OPCODE_DMA) {
    add_to_address(registers + offsetof(struct bvp_dma_descriptor, source) / 4, distance(step->source_stride, tile));
    add_to_address(registers + offsetof(struct bvp_dma_descriptor, destination) / 4,
                   distance(step->destination_stride, tile));
    if (tail) registers[offsetof(struct bvp_dma_descriptor, count) / 4 + step->tail_index] = step->tail_count;
  } else {
    for (int i = 0; i < 16; ++i)
      if ((step->half_mask >> 16 >> i & 1) != 0) registers[i] += (uint32_t)distance(step->source_stride, tile);
    if (tail) command->counts[step->tail_index] = step->tail_count;
  }
  const sequencer_ticket ticket = sequencer_push(&seq);
  sequencer_doorbell(&seq);
  return sequencer_wait(&seq, ticket);
}

static bool do_steps(const struct bvp_step* steps, uint32_t count, const struct tile* tile) {
  for (uint32_t i = 0; i < count; ++i)
    if (!do_step(&steps[i], tile)) return false;
  return true;
}

static bool do_task(const struct bvp_task* task, const struct bvp_step* steps) {
  const struct tile no_tile = {{0, 0, 0}, false};
  if (!do_steps(steps, task->weight_steps, &no_tile)) return false;
  steps += task->weight_steps;
  const uint32_t tile_steps = task->input_steps + task->compute_steps + task->output_steps;
  struct tile tile;
  for (tile.index[2] = 0; tile.index[2] < task->tiles[2]; ++tile.index[2])
    for (tile.index[1] = 0; tile.index[1] < task->tiles[1]; ++tile.index[1])
      for (tile.index[0] = 0; tile.index[0] < task->tiles[0]; ++tile.index[0]) {
        tile.tail = tile.index[0] == task->tiles[0] - 1;
        if (!do_steps(steps, tile_steps, &tile)) return false;
      }
  return true;
}

/* FNV-1a of what the layer has left. */
static uint64_t hash_of_output(void) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (uint64_t row = 0; row < NETWORK_LAYER_0_OUTPUT_ROWS; ++row) {
    const uint8_t* bytes = (const uint8_t*)(NETWORK_LAYER_0_OUTPUT_ADDRESS + row * NETWORK_LAYER_0_OUTPUT_PITCH);
    for (uint64_t i = 0; i < NETWORK_LAYER_0_OUTPUT_COLUMNS * 2; ++i)
      hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
  }
  return hash;
}

int main(void) {
  const struct bvp_network_header* network = (const struct bvp_network_header*)NETWORK_DESCRIPTOR;
  const struct bvp_task* tasks = (const struct bvp_task*)(uintptr_t)network->tasks;
  const struct bvp_step* steps = (const struct bvp_step*)(uintptr_t)network->steps;
  if (!sequencer_init(&seq, (struct bvp_command*)(uintptr_t)network->ring, network->ring_entries)) {
    sequencer_print_error(&seq);
    return exit_sequencer;
  }
  for (uint32_t i = 0; i < network->task_count && tasks[i].layer == 0; ++i) {
    const uint64_t begin = cycle_count();
    if (!do_task(&tasks[i], steps + tasks[i].first_step)) {
      sequencer_print_error(&seq);
      return exit_sequencer;
    }
    printf("%s: %lu cycles\n", (const char*)tasks[i].name, (unsigned long)(cycle_count() - begin));
  }
  printf("layer 0: %016lx\n", (unsigned long)hash_of_output());
  return exit_done;
}
