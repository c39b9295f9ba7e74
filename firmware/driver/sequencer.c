/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/sequencer.h"

#include <stdio.h>
#include <string.h>

#include "hal/csr.h"
#include "hal/interrupt_controller.h"
#include "hal/mmio.h"
#include "hal/timer.h"
#include "hal/trap.h"

/* More than the longest burst in flight takes, by far. */
enum { recovery_cycles = 100000 };

static uint32_t read_register(uint32_t offset) { return mmio_read32(BVP_SEQUENCER_BASE + offset); }
static void write_register(uint32_t offset, uint32_t value) { mmio_write32(BVP_SEQUENCER_BASE + offset, value); }

static void read_completed(struct sequencer* seq) {
  for (uint32_t i = 0; i < BVP_UNIT_INDEX_COUNT; ++i) {
    struct sequencer_unit* unit = &seq->units[i];
    if (unit->completed != unit->pushed) unit->completed = read_register(BVP_SEQUENCER_UNIT_COMPLETED(i));
  }
}

static void on_interrupt(void* context) {
  struct sequencer* seq = context;
  const uint32_t status = read_register(BVP_SEQUENCER_INTERRUPT_STATUS);
  write_register(BVP_SEQUENCER_INTERRUPT_STATUS, status);
  read_completed(seq);
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

static void on_timer(void* context) {
  struct sequencer* seq = context;
  seq->timer_rang = true;
}

/* A wait with a limit wakes up at its end, also where nothing else wakes it. Returns the time at which it ends. */
static uint64_t begin_wait(struct sequencer* seq, uint32_t microseconds) {
  const uint64_t ticks = (uint64_t)microseconds * (TIMER_HZ / 1000000);
  seq->timer_rang = false;
  timer_call_after(ticks, on_timer, seq);
  return timer_now() + ticks;
}

/* At the end of its time the wait asks the hardware, as an interrupt may have been lost. */
static void end_wait(struct sequencer* seq) {
  timer_cancel();
  read_completed(seq);
  seq->head = read_register(BVP_SEQUENCER_HEAD);
  if (seq->error == 0) seq->error = read_register(BVP_SEQUENCER_ERROR_CODE);
}

static enum sequencer_result result_of(const struct sequencer* seq, bool done) {
  if (seq->error != 0) return sequencer_failed;
  return done ? sequencer_done : sequencer_timed_out;
}

static void sleep_while_full(struct sequencer* seq) {
  seq->head = read_register(BVP_SEQUENCER_HEAD);
  while (sequencer_seems_full(seq) && seq->error == 0 && !seq->timer_rang) {
    sleep_until_interrupt();
    seq->head = read_register(BVP_SEQUENCER_HEAD);
  }
}

enum sequencer_result sequencer_room_within(struct sequencer* seq, uint32_t microseconds) {
  sequencer_doorbell(seq);
  const uint64_t state = interrupts_disable();
  seq->timer_rang = false;
  if (microseconds != 0) (void)begin_wait(seq, microseconds);
  sleep_while_full(seq);
  if (microseconds != 0) end_wait(seq);
  interrupts_restore(state);
  return result_of(seq, !sequencer_seems_full(seq));
}

void sequencer_sleep_while_full(struct sequencer* seq) { (void)sequencer_room_within(seq, seq->wait_limit_us); }

void sequencer_doorbell(struct sequencer* seq) {
  memory_fence();
  write_register(BVP_SEQUENCER_TAIL, seq->tail);
}

/* Asks the hardware about a command that will not interrupt. */
static void ask(struct sequencer* seq, uint32_t unit_index) {
  seq->units[unit_index].completed = read_register(BVP_SEQUENCER_UNIT_COMPLETED(unit_index));
  seq->error = read_register(BVP_SEQUENCER_ERROR_CODE);
}

static void wait_without_end(struct sequencer* seq, uint32_t unit_index, sequencer_ticket ticket) {
  const struct sequencer_unit* unit = &seq->units[unit_index];
  while (seq->error == 0 && !sequencer_reached(seq, ticket)) {
    if (sequencer_count_reaches(unit->flagged, ticket)) {
      sleep_until_interrupt();
    } else {
      ask(seq, unit_index);
    }
  }
}

static void wait_until(struct sequencer* seq, uint32_t unit_index, sequencer_ticket ticket, uint32_t microseconds) {
  const struct sequencer_unit* unit = &seq->units[unit_index];
  if (seq->error != 0 || sequencer_reached(seq, ticket)) return;
  const uint64_t end = begin_wait(seq, microseconds);
  while (seq->error == 0 && !sequencer_reached(seq, ticket) && !seq->timer_rang) {
    if (sequencer_count_reaches(unit->flagged, ticket)) {
      sleep_until_interrupt();
    } else {
      ask(seq, unit_index);
      if (timer_now() >= end) seq->timer_rang = true;
    }
  }
  end_wait(seq);
}

enum sequencer_result sequencer_wait_within(struct sequencer* seq, sequencer_ticket ticket, uint32_t microseconds) {
  const uint32_t unit_index = sequencer_ticket_unit(ticket);
  if (unit_index >= BVP_UNIT_INDEX_COUNT) return sequencer_bad_ticket;
  const uint64_t state = interrupts_disable();
  if (microseconds == 0) {
    wait_without_end(seq, unit_index, ticket);
  } else {
    wait_until(seq, unit_index, ticket, microseconds);
  }
  interrupts_restore(state);
  return result_of(seq, sequencer_reached(seq, ticket));
}

bool sequencer_wait(struct sequencer* seq, sequencer_ticket ticket) {
  return sequencer_wait_within(seq, ticket, seq->wait_limit_us) == sequencer_done;
}

bool sequencer_ask(struct sequencer* seq, sequencer_ticket ticket) {
  if (sequencer_reached(seq, ticket)) return true;
  const uint64_t state = interrupts_disable();
  ask(seq, sequencer_ticket_unit(ticket));
  interrupts_restore(state);
  return sequencer_reached(seq, ticket);
}

void sequencer_set_limits(uint32_t launch_cycles, uint32_t dma_cycles) {
  write_register(BVP_SEQUENCER_LAUNCH_LIMIT, launch_cycles);
  write_register(BVP_SEQUENCER_DMA_LIMIT, dma_cycles);
}

void sequencer_abort(uint32_t units) { write_register(BVP_SEQUENCER_ABORT, units); }

bool sequencer_recover(struct sequencer* seq) {
  const uint32_t units = BVP_SEQUENCER_STATUS_ARRAY_MASK | BVP_SEQUENCER_STATUS_DMA_MASK;
  const uint64_t begin = cycle_count();
  write_register(BVP_SEQUENCER_INTERRUPT_ENABLE, 0);
  sequencer_abort(SEQUENCER_ALL_UNITS);
  while ((read_register(BVP_SEQUENCER_STATUS) & units) != 0) {
    if (cycle_count() - begin > recovery_cycles) return false;
  }
  const uint32_t wait_limit_us = seq->wait_limit_us;
  const bool checks_commands = seq->checks_commands;
  const bool ready = sequencer_init(seq, seq->ring, seq->entries);
  seq->wait_limit_us = wait_limit_us;
  seq->checks_commands = checks_commands;
  return ready;
}

uint32_t sequencer_stop_and_blame(void) {
  sequencer_abort(SEQUENCER_ALL_UNITS);
  return read_register(BVP_SEQUENCER_ERROR_ROWS);
}

bool sequencer_leave_out(uint32_t rows) {
  write_register(BVP_SEQUENCER_ROW_DISABLE, rows);
  return read_register(BVP_SEQUENCER_ERROR_CODE) == 0;
}

uint32_t sequencer_rows_left_out(void) { return read_register(BVP_SEQUENCER_ROW_DISABLE); }

/* Two words of a command, whatever fields they are of. */
typedef uint64_t __attribute__((may_alias)) word_pair;

void sequencer_seal(struct bvp_command* command) {
  command->flags |= BVP_COMMAND_FLAG_CHECKED;
  command->check = 0;
  const word_pair* pairs = (const word_pair*)command;
  uint64_t sum = 0;
#pragma GCC unroll 16
  for (uint32_t i = 0; i < sizeof *command / sizeof *pairs; ++i) sum ^= pairs[i];
  command->check = (uint32_t)(sum ^ sum >> 32);
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
  error.address =
      (uint64_t)read_register(BVP_SEQUENCER_ERROR_ADDRESS_HI) << 32 | read_register(BVP_SEQUENCER_ERROR_ADDRESS_LO);
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
  if (error.address != 0) printf("  address 0x%016lx\n", (unsigned long)error.address);
}
