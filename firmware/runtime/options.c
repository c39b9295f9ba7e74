/* SPDX-License-Identifier: Apache-2.0 */
/* What a run asks of the firmware beside the network: limits, protection of memory, and that rows of PEs are left
 * out. */
#include <stddef.h>

#include "hal/mmio.h"
#include "runtime/network.h"

const struct bvp_run_options* network_options(const struct bvp_network_header* network) {
  return network->options == 0 ? NULL
                               : (const struct bvp_run_options*)((uintptr_t)network + (uintptr_t)network->options);
}

static void open_window(uint32_t index, uint64_t base, uint64_t size, uint32_t config) {
  const uint64_t unit = BVP_PROTECTION_BASE;
  mmio_write32(unit + BVP_PROTECTION_CONFIG(index), 0);
  mmio_write32(unit + BVP_PROTECTION_BASE_LO(index), (uint32_t)base);
  mmio_write32(unit + BVP_PROTECTION_BASE_HI(index), (uint32_t)(base >> 32));
  mmio_write32(unit + BVP_PROTECTION_SIZE_LO(index), (uint32_t)size);
  mmio_write32(unit + BVP_PROTECTION_SIZE_HI(index), (uint32_t)(size >> 32));
  mmio_write32(unit + BVP_PROTECTION_CONFIG(index), config);
}

void network_prepare(const struct bvp_network_header* network, struct sequencer* seq) {
  const struct bvp_run_options* options = network_options(network);
  if (options == NULL) return;
  sequencer_set_limits(options->launch_limit, options->dma_limit);
  sequencer_set_wait_limit(seq, options->wait_limit_us);
  seq->checks_commands = options->command_checks != 0;
  if (options->window_count == 0) return;
  const uint32_t source_in = UINT32_C(1) << (BVP_UNIT_INDEX_DMA + network_channel_in);
  open_window(0, (uintptr_t)&network_dma_memory, sizeof network_dma_memory,
              BVP_PROTECTION_CONFIG_READ_MASK | BVP_PROTECTION_CONFIG_WRITE_MASK |
                  source_in << BVP_PROTECTION_CONFIG_SOURCES_SHIFT);
  const struct bvp_memory_window* windows = (const struct bvp_memory_window*)(options + 1);
  for (uint32_t i = 0; i < options->window_count && i + 1 < BVP_PROTECTION_CONFIG_COUNT; ++i)
    open_window(i + 1, windows[i].base, windows[i].size, windows[i].config);
  mmio_write32(BVP_PROTECTION_BASE + BVP_PROTECTION_CONTROL, BVP_PROTECTION_CONTROL_ENABLE_MASK);
}

static uint32_t count_rows(uint32_t rows) {
  uint32_t count = 0;
  for (; rows != 0; rows &= rows - 1) ++count;
  return count;
}

struct network_repair network_find_repair(const struct bvp_network_header* network) {
  struct network_repair repair = {0, NULL};
  const struct bvp_run_options* options = network_options(network);
  if (options == NULL || options->rows == 0) return repair;
  repair.rows = sequencer_stop_and_blame();
  const uint32_t left = options->array_rows - count_rows(repair.rows | sequencer_rows_left_out());
  if (repair.rows == 0) return repair;
  if (left >= options->rows) {
    repair.network = network;
  } else if (options->spare != 0) {
    const struct bvp_network_header* spare =
        (const struct bvp_network_header*)((uintptr_t)network + (uintptr_t)options->spare);
    if (left >= network_options(spare)->rows) repair.network = spare;
  }
  return repair;
}

bool network_leave_out(const struct network_repair* repair, struct sequencer* seq) {
  if (!sequencer_leave_out(repair->rows | sequencer_rows_left_out())) return false;
  /* Another network has windows of its own. */
  for (uint32_t i = 0; i < BVP_PROTECTION_CONFIG_COUNT; ++i)
    mmio_write32(BVP_PROTECTION_BASE + BVP_PROTECTION_CONFIG(i), 0);
  network_prepare(repair->network, seq);
  return true;
}

uint32_t network_awaited_tag(const struct sequencer* seq) {
  /* The oldest command in the ring whose unit has completed fewer commands than were pushed up to it. */
  uint32_t left[BVP_UNIT_INDEX_COUNT];
  for (uint32_t i = 0; i < BVP_UNIT_INDEX_COUNT; ++i) left[i] = seq->units[i].pushed - seq->units[i].completed;
  uint32_t tag = BVP_NETWORK_TAG_END;
  for (uint32_t back = 1; back < seq->entries; ++back) {
    const struct bvp_command* command = &seq->ring[(seq->tail - back) & (seq->entries - 1)];
    const uint32_t unit = sequencer_unit_of(command);
    if (left[unit] == 0) continue;
    --left[unit];
    tag = command->tag;
  }
  return tag;
}
