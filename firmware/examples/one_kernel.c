/* SPDX-License-Identifier: Apache-2.0 */
/* Launches a kernel of our own, whose text is one_kernel.kasm: y = a * x + b. */
#include <stdio.h>
#include <string.h>

#include "driver/sequencer.h"
#include "hal/csr.h"
#include "hal/exit.h"
#include "one_kernel.kasm.h" /* made of one_kernel.kasm by `butterfly-vp asm` */

enum {
  ring_entries = 16,
  blocks = 64,
  values = blocks * ONE_KERNEL_CONST_BLOCK * ONE_KERNEL_LANES,
  /* in the scratchpad */
  input_at = 0,
  output_at = values * 2,
  factors_at = 2 * output_at
};

static struct bvp_command ring[ring_entries] __attribute__((aligned(64)));
static uint16_t x[values], y[values], factors[ONE_KERNEL_LANES];
static struct sequencer seq;

/* The fp16 number of a whole number from 0 to 2047, all of which have one. */
static uint16_t half_of(unsigned number) {
  if (number == 0) return 0;
  unsigned exponent = 25; /* of 1024, biased */
  while (number < 1024) {
    number <<= 1;
    --exponent;
  }
  return (uint16_t)(exponent << 10 | (number & 1023));
}

/* Copies, after what has been pushed on the same channel. */
static sequencer_ticket push_copy(uint64_t destination, uint64_t source, uint32_t bytes) {
  const struct bvp_dma_descriptor descriptor = {
      .source = source, .destination = destination, .length = bytes, .count = {1, 1, 1}};
  struct bvp_command* command = sequencer_next(&seq);
  sequencer_command_clear(command, BVP_OPCODE_DMA, 1);
  memcpy(command->registers, &descriptor, sizeof descriptor);
  command->flags = BVP_COMMAND_FLAG_INTERRUPT;
  return sequencer_push(&seq);
}

static sequencer_ticket push_launch(void) {
  struct bvp_command* command = sequencer_next(&seq);
  sequencer_command_clear(command, BVP_OPCODE_LAUNCH, 2);
  command->image = (uintptr_t)one_kernel_image;
  command->image_bytes = ONE_KERNEL_IMAGE_BYTES;
  for (int level = 0; level < 4; ++level) command->counts[level] = 1;
  command->counts[0] = blocks;
  command->registers[ONE_KERNEL_LAUNCH_INPUT] = input_at;
  command->registers[ONE_KERNEL_LAUNCH_OUTPUT] = output_at;
  command->registers[ONE_KERNEL_LAUNCH_FACTORS] = factors_at;
  command->flags = BVP_COMMAND_FLAG_INTERRUPT;
  return sequencer_push(&seq);
}

static bool finish(sequencer_ticket ticket) {
  sequencer_doorbell(&seq);
  return sequencer_wait(&seq, ticket);
}

static bool run(void) {
  if (!sequencer_init(&seq, ring, ring_entries)) return false;
  push_copy(BVP_SCRATCHPAD_BASE + input_at, (uintptr_t)x, sizeof x);
  if (!finish(push_copy(BVP_SCRATCHPAD_BASE + factors_at, (uintptr_t)factors, sizeof factors))) return false;
  const uint64_t begin = cycle_count();
  if (!finish(push_launch())) return false;
  printf("launch: %lu cycles\n", (unsigned long)(cycle_count() - begin));
  return finish(push_copy((uintptr_t)y, BVP_SCRATCHPAD_BASE + output_at, sizeof y));
}

int main(void) {
  for (unsigned i = 0; i < values; ++i) x[i] = half_of(i % 1000);
  factors[0] = half_of(2);
  factors[1] = half_of(5);
  if (!run()) {
    sequencer_print_error(&seq);
    return exit_sequencer;
  }
  unsigned wrong = 0;
  for (unsigned i = 0; i < values; ++i) wrong += y[i] != half_of(2 * (i % 1000) + 5);
  printf("%u of %u values are wrong\n", wrong, (unsigned)values);
  return wrong == 0 ? exit_done : exit_check_failed;
}
