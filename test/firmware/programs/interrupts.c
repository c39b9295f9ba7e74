/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupts are taken once each, at their time, and mip is what the devices say. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "driver/sequencer.h"
#include "hal/csr.h"
#include "hal/exit.h"
#include "hal/mmio.h"

enum { ticks = 100, period = 10000, commands = 50, ring_entries = 16 };

static const uint64_t mtimecmp = BVP_CLINT_BASE + BVP_CLINT_MTIMECMP_LO;
static const uint64_t mtime = BVP_CLINT_BASE + BVP_CLINT_MTIME_LO;
static const uint64_t claim = BVP_PLIC_BASE + BVP_PLIC_CLAIM;
static const uint64_t status = BVP_SEQUENCER_BASE + BVP_SEQUENCER_INTERRUPT_STATUS;

static volatile uint64_t taken, spurious, repeated, next;
static volatile bool complete_first;
static bool failed;

static uint64_t read64(uint64_t address) { return *(volatile uint64_t*)(uintptr_t)address; }
static void write64(uint64_t address, uint64_t value) { *(volatile uint64_t*)(uintptr_t)address = value; }

static void expect(const char* what, uint64_t found, uint64_t expected) {
  if (found == expected) return;
  printf("%s: found %lu, expected %lu\n", what, (unsigned long)found, (unsigned long)expected);
  failed = true;
}

__attribute__((interrupt("machine"), aligned(4))) static void on_tick(void) {
  if (read64(mtime) < next) ++spurious;
  ++taken;
  next += period;
  write64(mtimecmp, next);
}

__attribute__((interrupt("machine"), aligned(4))) static void on_completion(void) {
  const uint32_t line = mmio_read32(claim);
  if (line == 0) {
    ++spurious;
    return;
  }
  if ((mmio_read32(status) & BVP_SEQUENCER_INTERRUPT_STATUS_COMPLETION_MASK) != 0)
    ++taken;
  else
    ++repeated;
  if (complete_first) mmio_write32(claim, line);
  mmio_write32(status, BVP_SEQUENCER_INTERRUPT_STATUS_COMPLETION_MASK);
  if (!complete_first) mmio_write32(claim, line);
}

static void check_ticks(bool asleep) {
  CSR_WRITE(mtvec, (uint64_t)(uintptr_t)on_tick);
  taken = spurious = 0;
  const uint64_t begin = read64(mtime);
  next = begin + period;
  write64(mtimecmp, next);
  CSR_WRITE(mie, MIE_MTIE);
  interrupts_enable();
  while (taken < ticks)
    if (asleep) wait_for_interrupt();
  const uint64_t end = read64(mtime);
  interrupts_disable();
  CSR_WRITE(mie, 0);
  expect("timer interrupts too early", spurious, 0);
  expect("timer interrupts", taken, ticks);
  expect("ticks of the timer", end - begin, ticks * (uint64_t)period);
}

static void check_completions(struct sequencer* seq, bool first) {
  CSR_WRITE(mtvec, (uint64_t)(uintptr_t)on_completion);
  CSR_WRITE(mie, MIE_MEIE);
  complete_first = first;
  taken = spurious = repeated = 0;
  interrupts_enable();
  for (uint64_t i = 0; i < commands; ++i) {
    struct bvp_command* command = sequencer_next(seq);
    sequencer_command_clear(command, BVP_OPCODE_SYNC, (uint32_t)i);
    command->flags = BVP_COMMAND_FLAG_INTERRUPT;
    sequencer_push(seq);
    sequencer_doorbell(seq);
    while (taken == i) {
    }
    seq->head = mmio_read32(BVP_SEQUENCER_BASE + BVP_SEQUENCER_HEAD);
  }
  interrupts_disable();
  expect("external interrupts without a claim", spurious, 0);
  expect("external interrupts", taken, commands);
  /* A completion while the device still raises its line makes a request that stays. */
  expect("requests behind a completion", repeated, first ? commands : 0);
}

static void check_pending(void) {
  CSR_WRITE(mie, 0);
  for (int i = 0; i < 10; ++i) {
    write64(mtimecmp, 0);
    expect("mip behind mtimecmp = 0", CSR_READ(mip), MIE_MTIE);
    write64(mtimecmp, UINT64_MAX);
    expect("mip behind mtimecmp = all ones", CSR_READ(mip), 0);
  }
}

int main(void) {
  static struct sequencer seq;
  static struct bvp_command ring[ring_entries] __attribute__((aligned(64)));
  sequencer_init(&seq, ring, ring_entries);
  interrupts_disable();
  check_ticks(false);
  check_ticks(true);
  check_completions(&seq, false);
  check_completions(&seq, true);
  check_pending();
  printf(failed ? "interrupts: failed\n" : "interrupts: right\n");
  return failed ? exit_check_failed : exit_done;
}
