/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/sequencer.h"

#include <stdio.h>
#include <string.h>

#include "hal/csr.h"
#include "hal/interrupt_controller.h"
#include "hal/mmio.h"
#include "hal/trap.h"

static uint32_t read_register(uint32_t offset) { return mmio_read32(BVP_SEQUENCER_BASE + offset); }
static void write_register(uint32_t offset, uint32_t value) { mmio_write32(BVP_SEQUENCER_BASE + offset, value); }

static void on_interrupt(void* context) {
  struct sequencer* seq = context;
  const uint32_t status = read_register(BVP_SEQUENCER_INTERRUPT_STATUS);
  write_register(BVP_SEQUENCER_INTERRUPT_STATUS, status);
  for (uint32_t i = 0; i < BVP_UNIT_INDEX_COUNT; ++i) {
    struct sequencer_unit* unit = &seq->units[i];
    if (unit->completed != unit->pushed) unit->completed = read_register(BVP_SEQUENCER_UNIT_COMPLETED(i));
  }
  if ((status & BVP_SEQUENCER_INTERRUPT_STATUS_ERROR_MASK) != 0) seq->error = read_register(BVP_SEQUENCER_ERROR_CODE);
}

bool sequencer_init(struct sequencer* seq, struct bvp_command* ring, uint32_t entries) {
  memset(seq, 0, sizeof *seq);
  seq->ring = ring;
  seq->entries = entries;
  write_register(BVP_SEQUENCER_CONTROL, BVP_SEQUENCER_CONTROL_RESET_MASK);
  const uint64_t base = (uintptr_t)ring;
  write_register(BVP_SEQUENCER_RING_BASE_LO, (uint32_t)base);
  write_register(BVP_SEQUENCER_RING_BASE_HI, (uint32_t)(base >> 32));
  write_register(BVP_SEQUENCER_RING_ENTRIES, entries);
  const uint32_t interrupts =
      BVP_SEQUENCER_INTERRUPT_STATUS_COMPLETION_MASK | BVP_SEQUENCER_INTERRUPT_STATUS_ERROR_MASK;
  write_register(BVP_SEQUENCER_INTERRUPT_STATUS, interrupts);
  write_register(BVP_SEQUENCER_INTERRUPT_ENABLE, interrupts);
  interrupt_controller_attach(BVP_IRQ_SEQUENCER, on_interrupt, seq);
  write_register(BVP_SEQUENCER_CONTROL, BVP_SEQUENCER_CONTROL_ENABLE_MASK);
  seq->tail = seq->head = read_register(BVP_SEQUENCER_HEAD);
  seq->error = read_register(BVP_SEQUENCER_ERROR_CODE);
  return seq->error == 0;
}

void sequencer_set_semaphore(struct sequencer* seq, uint32_t semaphore, uint32_t value) {
  (void)seq;
  write_register(BVP_SEQUENCER_SEMAPHORE(semaphore), value);
}

bool sequencer_still_full(struct sequencer* seq) {
  sequencer_doorbell(seq);
  seq->head = read_register(BVP_SEQUENCER_HEAD);
  return sequencer_seems_full(seq);
}

void sequencer_sleep_while_full(struct sequencer* seq) {
  sequencer_doorbell(seq);
  const uint64_t state = interrupts_disable();
  seq->head = read_register(BVP_SEQUENCER_HEAD);
  while (sequencer_seems_full(seq) && seq->error == 0) {
    sleep_until_interrupt();
    seq->head = read_register(BVP_SEQUENCER_HEAD);
  }
  interrupts_restore(state);
}

void sequencer_doorbell(struct sequencer* seq) {
  memory_fence();
  write_register(BVP_SEQUENCER_TAIL, seq->tail);
}

bool sequencer_wait(struct sequencer* seq, sequencer_ticket ticket) {
  const uint32_t unit_index = sequencer_ticket_unit(ticket);
  if (unit_index >= BVP_UNIT_INDEX_COUNT) return false;
  struct sequencer_unit* unit = &seq->units[unit_index];
  const uint64_t state = interrupts_disable();
  while (seq->error == 0 && !sequencer_reached(seq, ticket)) {
    if (sequencer_count_reaches(unit->flagged, ticket)) {
      sleep_until_interrupt();
    } else {
      unit->completed = read_register(BVP_SEQUENCER_UNIT_COMPLETED(unit_index));
      seq->error = read_register(BVP_SEQUENCER_ERROR_CODE);
    }
  }
  interrupts_restore(state);
  return seq->error == 0;
}

void sequencer_command_clear(struct bvp_command* command, uint8_t opcode, uint32_t tag) {
  memset(command, 0, sizeof *command);
  command->opcode = opcode;
  command->signal = command->wait[0] = command->wait[1] = BVP_SEMAPHORE_NONE;
  command->tag = tag;
}

struct sequencer_error sequencer_error_status(const struct sequencer* seq) {
  struct sequencer_error error;
  (void)seq;
  error.code = read_register(BVP_SEQUENCER_ERROR_CODE);
  error.tag = read_register(BVP_SEQUENCER_ERROR_TAG);
  error.info = (uint64_t)read_register(BVP_SEQUENCER_ERROR_INFO_HI) << 32 | read_register(BVP_SEQUENCER_ERROR_INFO_LO);
  error.text = bvp_sequencer_error_text(error.code);
  return error;
}

void sequencer_print_error(const struct sequencer* seq) {
  const struct sequencer_error error = sequencer_error_status(seq);
  printf("sequencer: error %lu: %s\n  tag 0x%08lx, info 0x%016lx\n", (unsigned long)error.code, error.text,
         (unsigned long)error.tag, (unsigned long)error.info);
  if (error.code == BVP_SEQUENCER_ERROR_DMA_FAILED)
    printf("  DMA channel %lu: %s\n", (unsigned long)(uint32_t)error.info,
           bvp_dma_status_text((uint32_t)(error.info >> 32)));
}
