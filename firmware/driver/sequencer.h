/* SPDX-License-Identifier: Apache-2.0 */
/* Driver of the accelerator's sequencer: a ring of commands in memory, a doorbell, completion interrupts.
 *
 *   struct sequencer seq;
 *   sequencer_init(&seq, ring, entries);
 *   struct bvp_command* command = sequencer_next(&seq);     fill all of it
 *   sequencer_ticket ticket = sequencer_push(&seq);
 *   sequencer_doorbell(&seq);
 *   sequencer_wait(&seq, ticket);
 *
 * Commands are executed in the order pushed on each unit (a DMA channel, the array); different units run
 * concurrently and are ordered by semaphores. A ticket names one command; whether that one is done does not depend on
 * what other units do. The functions that may wait sleep (WFI) until an interrupt.
 *
 * Nothing needs to be waited for without end. sequencer_set_limits lets the hardware stop a launch or a transfer that
 * takes too long, with an error that names the command. sequencer_set_wait_limit ends the waits of the CPU, also where
 * the hardware has lost a command or its interrupt; the _within functions do so for one wait. After either,
 * sequencer_recover stops what runs and makes the accelerator ready for new commands.
 */
#ifndef DRIVER_SEQUENCER_H
#define DRIVER_SEQUENCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bvp_hw.h"
#include "hal/linkage.h"

HAL_BEGIN_DECLARATIONS

/* A command: its unit (BVP_UNIT_INDEX_...) in the upper bits, in the lower ones how many commands the unit has
 * completed when this one is done. */
typedef uint32_t sequencer_ticket;

enum { sequencer_ticket_unit_shift = 27 };

/* The driver's counts of a unit's commands, modulo 2^32. */
struct sequencer_unit {
  uint32_t pushed;             /* commands pushed */
  uint32_t flagged;            /* value of `pushed` with the last command that had the interrupt flag */
  volatile uint32_t completed; /* commands completed, as of the last interrupt */
};

struct sequencer {
  struct bvp_command* ring;
  uint32_t entries;
  uint32_t tail;           /* next slot to fill */
  uint32_t head;           /* the hardware's next command, as last read */
  uint32_t since_flag;     /* commands pushed since the last one with the interrupt flag */
  volatile uint32_t error; /* error code, 0: none */
  uint32_t wait_limit_us;  /* of each wait; 0: none */
  volatile bool timer_rang;
  bool checks_commands; /* by network_run: sequencer_seal for each command */
  struct sequencer_unit units[BVP_UNIT_INDEX_COUNT];
};

struct sequencer_error {
  uint32_t code;
  uint32_t tag;
  uint64_t info;
  uint64_t address; /* on the bus, at fault; 0: none */
  const char* text;
};

enum sequencer_result {
  sequencer_done = 0,
  sequencer_failed,     /* the sequencer has stopped with an error: sequencer_error_status */
  sequencer_timed_out,  /* the time is over, and the command is not done */
  sequencer_bad_ticket, /* no command has such a ticket */
};

/* Resets the sequencer, clears its semaphores, gives it the ring (aligned to 64 bytes; `entries` a power of
 * two from 2 to 65536), and takes its interrupt. Returns false when it refuses the ring. */
bool sequencer_init(struct sequencer* seq, struct bvp_command* ring, uint32_t entries);

/* The hardware stops a launch or a DMA transfer that takes more cycles, which is an error; 0: any number. The limits
 * hold until they are set anew. */
void sequencer_set_limits(uint32_t launch_cycles, uint32_t dma_cycles);

/* From now on sequencer_next, sequencer_sleep_while_full and sequencer_wait give up after so many microseconds; 0:
 * never. A wait with a limit uses the timer (hal/timer.h), and replaces a call that is still to come. sequencer_init
 * sets it to 0. */
static inline void sequencer_set_wait_limit(struct sequencer* seq, uint32_t microseconds) {
  seq->wait_limit_us = microseconds;
}

/* Stops units at once: their commands do not complete, and the sequencer stops with the error
 * BVP_SEQUENCER_ERROR_ABORTED. `units`: as the ABORT register, BVP_SEQUENCER_ABORT_ARRAY_MASK and a bit for each DMA
 * channel. */
void sequencer_abort(uint32_t units);
#define SEQUENCER_ALL_UNITS (BVP_SEQUENCER_ABORT_ARRAY_MASK | BVP_SEQUENCER_ABORT_DMA_MASK)

/* Brings the accelerator back after an error or a time-out: stops all units, waits until they are idle, and sets up the
 * ring as sequencer_init did. Commands in the ring are lost, semaphores are 0, and limits are kept. False: a unit has
 * not stopped within 100,000 cycles, or the ring is refused. */
bool sequencer_recover(struct sequencer* seq);

/* Stops all units, and returns the rows of PEs that the error is about, a bit for each row of the array: those of PEs
 * that have not ended, refused, or failed. Call it before sequencer_recover, which clears that; 0: no PE is at fault.
 */
uint32_t sequencer_stop_and_blame(void);

/* Makes kernels leave out these rows of PEs, and no others; row r of a kernel is the r-th row that is left. Call it
 * only while no command is queued. False: the sequencer has refused, as no row would be left or the array has no such
 * one. */
bool sequencer_leave_out(uint32_t rows);
uint32_t sequencer_rows_left_out(void);

/* Sets a semaphore. Call it only while no command is queued. */
void sequencer_set_semaphore(struct sequencer* seq, uint32_t semaphore, uint32_t value);

/* Whether the ring has no room by what the driver last read of the hardware's head. The inlined functions below use
 * this one and the two that follow. */
static inline bool sequencer_seems_full(const struct sequencer* seq) {
  return ((seq->tail + 1) & (seq->entries - 1)) == seq->head;
}
/* Shows the hardware what has been pushed, reads its head, and says whether the ring has no room. */
bool sequencer_still_full(struct sequencer* seq);
/* Sleeps until the ring has room, the sequencer has stopped with an error, or the limit of waits is over. */
void sequencer_sleep_while_full(struct sequencer* seq);
/* As that function, with a limit of its own; 0: none. */
enum sequencer_result sequencer_room_within(struct sequencer* seq, uint32_t microseconds);

/* Whether the ring has no room for a command. All that has been pushed is shown to the hardware then. Never sleeps. */
static inline bool sequencer_full(struct sequencer* seq) {
  return sequencer_seems_full(seq) && sequencer_still_full(seq);
}

/* The slot for the next command; its contents are old. Sleeps while the ring is full; NULL: the sequencer has
 * stopped with an error, or the limit of waits is over. */
static inline struct bvp_command* sequencer_next(struct sequencer* seq) {
  if (sequencer_seems_full(seq)) {
    sequencer_sleep_while_full(seq);
    if (sequencer_seems_full(seq)) return NULL;
  }
  return seq->error != 0 ? NULL : &seq->ring[seq->tail];
}

/* The unit that a command is for (BVP_UNIT_INDEX_...). A command that the hardware will refuse counts as a sync. */
static inline uint32_t sequencer_unit_of(const struct bvp_command* command) {
  if (command->opcode == BVP_OPCODE_LAUNCH) return BVP_UNIT_INDEX_ARRAY;
  if (command->opcode == BVP_OPCODE_DMA && command->unit < BVP_UNIT_INDEX_COUNT - BVP_UNIT_INDEX_DMA)
    return BVP_UNIT_INDEX_DMA + command->unit;
  return BVP_UNIT_INDEX_SYNC;
}

/* Adds the command in the slot, and returns its ticket. It may set the interrupt flag, so that a full ring wakes the
 * CPU. */
static inline sequencer_ticket sequencer_push(struct sequencer* seq) {
  struct bvp_command* command = &seq->ring[seq->tail];
  const uint32_t unit_index = sequencer_unit_of(command);
  struct sequencer_unit* unit = &seq->units[unit_index];
  const uint32_t pushed = ++unit->pushed;
  /* The flag is set at least once in half a ring, so that a full ring contains a command with the flag that has not
   * completed. */
  if (++seq->since_flag >= seq->entries / 2) command->flags |= BVP_COMMAND_FLAG_INTERRUPT;
  if ((command->flags & BVP_COMMAND_FLAG_INTERRUPT) != 0) {
    unit->flagged = pushed;
    seq->since_flag = 0;
  }
  seq->tail = (seq->tail + 1) & (seq->entries - 1);
  const uint32_t count_mask = (UINT32_C(1) << sequencer_ticket_unit_shift) - 1;
  return unit_index << sequencer_ticket_unit_shift | (pushed & count_mask);
}

/* Writes TAIL, so that the hardware sees the commands that have been pushed. */
void sequencer_doorbell(struct sequencer* seq);

/* Returns when the ticket's command has completed. It sleeps until then if that command or a later one of its unit has
 * the interrupt flag, and asks the hardware again and again otherwise. False: the sequencer has stopped with an error,
 * or the limit of waits is over. */
bool sequencer_wait(struct sequencer* seq, sequencer_ticket ticket);
/* As that function, with a limit of its own; 0: none. */
enum sequencer_result sequencer_wait_within(struct sequencer* seq, sequencer_ticket ticket, uint32_t microseconds);

static inline uint32_t sequencer_ticket_unit(sequencer_ticket ticket) { return ticket >> sequencer_ticket_unit_shift; }

/* Whether a unit that has completed so many commands has completed the ticket's. */
static inline bool sequencer_count_reaches(uint32_t completed, sequencer_ticket ticket) {
  const int bits = 32 - sequencer_ticket_unit_shift;
  return (int32_t)((completed - ticket) << bits) >= 0;
}

/* Whether the ticket's command had completed at the last interrupt; never sleeps. */
static inline bool sequencer_reached(const struct sequencer* seq, sequencer_ticket ticket) {
  return sequencer_count_reaches(seq->units[sequencer_ticket_unit(ticket)].completed, ticket);
}

/* Whether the ticket's command has completed: asks the hardware if it had not at the last interrupt; never sleeps. */
bool sequencer_ask(struct sequencer* seq, sequencer_ticket ticket);

/* Gives a command a check word, by which the sequencer finds any burst of up to 32 bits that have turned over on the
 * way to it. Call it when nothing of the command changes any more: behind sequencer_push, which may set its interrupt
 * flag, and before sequencer_doorbell. */
void sequencer_seal(struct bvp_command* command);

/* A command that does nothing but carry a tag: no waits, no signal, no flags. */
void sequencer_command_clear(struct bvp_command* command, uint8_t opcode, uint32_t tag);

/* The error that has stopped the sequencer. */
struct sequencer_error sequencer_error_status(const struct sequencer* seq);

/* Prints it on the UART. */
void sequencer_print_error(const struct sequencer* seq);

HAL_END_DECLARATIONS

#endif
