/* SPDX-License-Identifier: Apache-2.0 */
/* Code that the DMA writes over code that has run: behind FENCE.I the new one runs, in the boot RAM and in DRAM. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "driver/sequencer.h"
#include "hal/exit.h"

enum { ring_entries = 16, routines = 5, words = 2 };

static struct sequencer seq;
static uint32_t boot_ram_code[words] __attribute__((aligned(4096)));

/* By its encoding, because the assembler knows the mnemonic under another extension's name only. */
static void fence_i(void) { __asm__ volatile(".word 0x0000100f" ::: "memory"); }

static bool copy(const void* from, void* to, uint32_t bytes) {
  const struct bvp_dma_descriptor descriptor = {
      .source = (uintptr_t)from, .destination = (uintptr_t)to, .length = bytes, .count = {1, 1, 1}};
  struct bvp_command* command = sequencer_next(&seq);
  sequencer_command_clear(command, BVP_OPCODE_DMA, 1);
  memcpy(command->registers, &descriptor, sizeof descriptor);
  command->flags = BVP_COMMAND_FLAG_INTERRUPT;
  const sequencer_ticket ticket = sequencer_push(&seq);
  sequencer_doorbell(&seq);
  return sequencer_wait(&seq, ticket);
}

static bool check(uint32_t* code, const char* place) {
  uint32_t* versions = (uint32_t*)(uintptr_t)(BVP_DRAM_BASE + 0x100000);
  int (*volatile routine)(void) = (int (*)(void))(uintptr_t)code;
  for (uint32_t i = 0; i < routines; ++i) {
    uint32_t* version = versions + i * words;
    version[0] = 0x00000513 | (i + 1) << 20; /* li a0, i + 1 */
    version[1] = 0x00008067;                 /* ret */
    if (!copy(version, code, sizeof *code * words)) return false;
    fence_i();
    const int result = routine();
    if (result != (int)i + 1) {
      printf("%s: version %lu gave %d\n", place, (unsigned long)i + 1, result);
      return false;
    }
  }
  return true;
}

int main(void) {
  if (!sequencer_init(&seq, (struct bvp_command*)(uintptr_t)BVP_DRAM_BASE, ring_entries)) return exit_sequencer;
  const bool right =
      check(boot_ram_code, "boot RAM") && check((uint32_t*)(uintptr_t)(BVP_DRAM_BASE + 0x200000), "DRAM");
  printf(right ? "new code: right\n" : "new code: failed\n");
  return right ? exit_done : exit_check_failed;
}
