/* SPDX-License-Identifier: Apache-2.0 */
/* Driver of the accelerator's sequencer: a ring of commands in memory, a doorbell, completion interrupts.
 *
 *   struct sequencer seq;
 *   sequencer_init(&seq, ring, entries);
 *   struct bvp_command* command = sequencer_next(&seq);     fill all of it
 *   uint32_t ticket = sequencer_push(&seq);
 *   sequencer_doorbell(&seq);
 *   sequencer_wait(&seq, ticket);
 *
 * Commands are executed in the order pushed on each unit (a DMA channel, the array); different units run
 * concurrently and are ordered by semaphores. The functions that may wait sleep (WFI) until an interrupt.
 */
#ifndef DRIVER_SEQUENCER_H
#define DRIVER_SEQUENCER_H

#include <stdbool.h>
#include <stdint.h>

#include "bvp_hw.h"

struct sequencer {
  struct bvp_command* ring;
  uint32_t entries;
  uint32_t tail;    /* next slot to fill */
  uint32_t head;    /* the hardware's next command, as last read */
  uint32_t flagged; /* commands pushed with the interrupt flag */
  uint32_t since_flag;
  volatile uint32_t completed; /* commands with the interrupt flag completed, as last reported */
  volatile uint32_t error;     /* error code, 0: none */
};

struct sequencer_error {
  uint32_t code;
  uint32_t tag;
  uint64_t info;
  const char* text;
};

/* Resets the sequencer, clears its semaphores, gives it the ring (aligned to 64 bytes; `entries` a power of
 * two from 2 to 65536), and takes its interrupt. Returns false when it refuses the ring. */
bool sequencer_init(struct sequencer* seq, struct bvp_command* ring, uint32_t entries);

/* Sets a semaphore. Only while nothing is queued. */
void sequencer_set_semaphore(struct sequencer* seq, uint32_t semaphore, uint32_t value);

/* The slot for the next command; its contents are old. Sleeps while the ring is full; NULL: the sequencer has
 * stopped with an error. */
struct bvp_command* sequencer_next(struct sequencer* seq);

/* Adds the command in the slot. It may set the interrupt flag, so that a full ring wakes the CPU. Returns the
 * ticket of the last flagged command: the value of `completed` once that one and all flagged before are done. */
uint32_t sequencer_push(struct sequencer* seq);

/* Shows the hardware what has been pushed. */
void sequencer_doorbell(struct sequencer* seq);

/* Sleeps until the ticket is reached. False: the sequencer has stopped with an error. */
bool sequencer_wait(struct sequencer* seq, uint32_t ticket);

/* Whether the ticket has been reached; never sleeps. */
static inline bool sequencer_reached(const struct sequencer* seq, uint32_t ticket) {
  return (int32_t)(seq->completed - ticket) >= 0;
}

/* A command that does nothing but carry a tag: no waits, no signal, no flags. */
void sequencer_command_clear(struct bvp_command* command, uint8_t opcode, uint32_t tag);

/* What stopped the sequencer. */
struct sequencer_error sequencer_error_status(const struct sequencer* seq);

/* Prints it on the UART. */
void sequencer_print_error(const struct sequencer* seq);

#endif
