/* SPDX-License-Identifier: Apache-2.0 */
/* Random transfers and launches with random windows open: nothing outside of the windows that are open for writes
 * changes. A number of rounds may come from the UART. */
#include <stdio.h>
#include <string.h>

#include "driver/sequencer.h"
#include "hal/exit.h"
#include "hal/mmio.h"
#include "hal/simulation_control.h"
#include "hal/timer.h"
#include "hal/uart.h"
#include "runtime/network.h"

enum {
  ring_entries = 64,
  arena_bytes = 32768, /* in DRAM, and as much at the beginning of the scratchpad */
  commands_of_round = 12,
  default_rounds = 12,
  open_windows = 6 /* behind those of the ring and of the image */
};

static struct sequencer seq;
static struct bvp_command ring[ring_entries] __attribute__((aligned(64)));
static uint64_t before[arena_bytes / 8];
static uint64_t state;

static uint32_t random_word(void) {
  state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(state >> 33);
}
static uint32_t below(uint32_t limit) { return random_word() % limit; }

static void write_unit(uint32_t offset, uint32_t value) { mmio_write32(BVP_PROTECTION_BASE + offset, value); }

struct window {
  uint64_t base, size;
  uint32_t config;
};
static struct window windows[open_windows];

static void set_window(uint32_t index, const struct window* window) {
  write_unit(BVP_PROTECTION_BASE_LO(index), (uint32_t)window->base);
  write_unit(BVP_PROTECTION_BASE_HI(index), (uint32_t)(window->base >> 32));
  write_unit(BVP_PROTECTION_SIZE_LO(index), (uint32_t)window->size);
  write_unit(BVP_PROTECTION_SIZE_HI(index), 0);
  write_unit(BVP_PROTECTION_CONFIG(index), window->config);
}

static bool is_writable(uint64_t address, uint32_t bytes) {
  for (int i = 0; i < open_windows; ++i) {
    const struct window* window = &windows[i];
    if ((window->config & BVP_PROTECTION_CONFIG_WRITE_MASK) == 0) continue;
    if (address + bytes > window->base && address < window->base + window->size) return true;
  }
  return false;
}

/* An address in one of the arenas, or a little beside it. */
static uint64_t some_address(uint64_t dram) {
  const uint64_t base = below(2) == 0 ? dram : BVP_SCRATCHPAD_BASE;
  return base + below(arena_bytes + 256);
}

static void random_transfer(struct bvp_command* command, uint64_t dram) {
  struct bvp_dma_descriptor descriptor = {.source = some_address(dram), .destination = some_address(dram)};
  descriptor.length = 1 + below(below(4) == 0 ? 6000 : 300);
  descriptor.count[0] = 1 + below(4);
  descriptor.count[1] = descriptor.count[2] = 1;
  descriptor.source_stride[0] = below(2) == 0 ? (int32_t)descriptor.length : (int32_t)below(4096) - 2048;
  descriptor.destination_stride[0] = below(2) == 0 ? (int32_t)descriptor.length : (int32_t)below(4096) - 2048;
  if (below(4) == 0) descriptor.fill = BVP_DMA_FILL_FLAG | below(65536);
  sequencer_command_clear(command, BVP_OPCODE_DMA, 1);
  command->unit = (uint8_t)below(2);
  memcpy(command->registers, &descriptor, sizeof descriptor);
}

static void random_launch(struct bvp_command* command, const struct bvp_command* launch) {
  *command = *launch;
  command->wait[0] = command->wait[1] = command->signal = BVP_SEMAPHORE_NONE;
  command->flags = 0;
  /* Most registers are offsets in the scratchpad. */
  for (int i = 0; i < 16; ++i)
    if (below(3) == 0) command->registers[i] = below(2) == 0 ? below(arena_bytes) & ~63u : random_word();
}

static void fill(uint64_t address) {
  volatile uint64_t* words = (volatile uint64_t*)(uintptr_t)address;
  for (uint32_t i = 0; i < arena_bytes / 8; ++i) words[i] = (uint64_t)random_word() << 32 | random_word();
}

static void keep(uint64_t address) {
  const volatile uint64_t* words = (const volatile uint64_t*)(uintptr_t)address;
  for (uint32_t i = 0; i < arena_bytes / 8; ++i) before[i] = words[i];
}

/* Returns the words that have changed although no window is open for writes there. */
static uint32_t changed_outside(uint64_t address) {
  const volatile uint64_t* words = (const volatile uint64_t*)(uintptr_t)address;
  uint32_t changed = 0;
  for (uint32_t i = 0; i < arena_bytes / 8; ++i) {
    const uint64_t difference = words[i] ^ before[i];
    for (uint32_t byte = 0; difference != 0 && byte < 8; ++byte)
      if ((difference >> byte * 8 & 0xff) != 0 && !is_writable(address + i * 8 + byte, 1)) ++changed;
  }
  return changed;
}

static void open_some_windows(uint64_t dram) {
  for (int i = 0; i < open_windows; ++i) {
    windows[i].base = (i % 2 == 0 ? dram : BVP_SCRATCHPAD_BASE) + below(arena_bytes / 2);
    windows[i].size = below(2) == 0 ? arena_bytes / 2 : below(4096);
    windows[i].config = (below(2) == 0 ? 3 : 1 + below(3)) | ((random_word() & 0xe) | 4)
                                                                 << BVP_PROTECTION_CONFIG_SOURCES_SHIFT;
    set_window(2 + (uint32_t)i, &windows[i]);
  }
}

static uint32_t rounds_from_uart(void) {
  uint32_t rounds = 0;
  timer_sleep_us(200);
  for (int character; (character = uart_get()) >= '0' && character <= '9';)
    rounds = rounds * 10 + (uint32_t)(character - '0');
  return rounds == 0 ? default_rounds : rounds;
}

int main(void) {
  const struct bvp_network_header* network = (const struct bvp_network_header*)simulation_argument();
  const struct bvp_task* task = (const struct bvp_task*)(uintptr_t)network->tasks;
  const struct bvp_step* steps = (const struct bvp_step*)(uintptr_t)network->steps + task->first_step;
  const struct bvp_command launch = steps[task->weight_steps + task->input_steps].command;
  /* Far behind the network, and inside of every DRAM. */
  const uint64_t dram = BVP_DRAM_BASE + (UINT64_C(64) << 20);
  const struct window of_ring = {(uintptr_t)ring, sizeof ring, BVP_PROTECTION_CONFIG_READ_MASK | 0x100};
  const struct window of_image = {launch.image, launch.image_bytes, BVP_PROTECTION_CONFIG_READ_MASK | 0x100};
  const uint32_t rounds = rounds_from_uart();
  uint32_t wrong = 0, done = 0, refused = 0;
  if (!sequencer_init(&seq, ring, ring_entries)) return exit_sequencer;
  sequencer_set_limits(200000, 200000);
  set_window(0, &of_ring);
  set_window(1, &of_image);
  write_unit(BVP_PROTECTION_CONTROL, BVP_PROTECTION_CONTROL_ENABLE_MASK);
  for (uint32_t round = 0; round < rounds; ++round) {
    state = round;
    fill(dram);
    fill(BVP_SCRATCHPAD_BASE);
    open_some_windows(dram);
    for (int i = 0; i < commands_of_round; ++i) {
      const uint64_t arena = i % 2 == 0 ? dram : BVP_SCRATCHPAD_BASE;
      keep(arena);
      struct bvp_command* command = sequencer_next(&seq);
      if (below(4) == 0) {
        random_launch(command, &launch);
      } else {
        random_transfer(command, dram);
      }
      command->flags |= BVP_COMMAND_FLAG_INTERRUPT;
      const sequencer_ticket ticket = sequencer_push(&seq);
      sequencer_doorbell(&seq);
      const enum sequencer_result result = sequencer_wait_within(&seq, ticket, 2000);
      if (result == sequencer_done) ++done;
      if (result != sequencer_done) {
        ++refused;
        if (!sequencer_recover(&seq)) {
          printf("wrong: not recovered in round %lu\n", (unsigned long)round);
          return exit_check_failed;
        }
      }
      wrong += changed_outside(arena);
    }
  }
  printf("%lu commands done, %lu refused, %lu bytes changed outside\n", (unsigned long)done, (unsigned long)refused,
         (unsigned long)wrong);
  if (wrong != 0 || done == 0 || refused == 0) return exit_check_failed;
  printf("protected fuzz: right\n");
  return exit_done;
}
