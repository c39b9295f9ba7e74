/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a network descriptor: turns its tasks, tile by tile, into commands.
 *
 * Tiles are numbered through the whole network; tile g works in half g % 2 of the scratchpad. A tile has
 * input steps (DMA channel 0), launches (the array) and output steps (the network's output channel, 1 where there
 * are two); a task has weight
 * steps (DMA channel 0) too, into the weight area of the task's parity (task % 2).
 *
 * Semaphores. All are 0 or 1; each token is produced by one unit and consumed by one unit, both in order.
 *
 *   FREE[h]     half h may be overwritten. Initially 1. Signalled by the last output of a tile in h; taken by the
 *               next command on channel 0 that needs it.
 *   FULL[h]     the inputs have arrived. Last input -> first launch.
 *   DONE[h]     the results are there. Last launch -> first output.
 *   WEIGHTS[p]  the weights have arrived. Last weight step -> first launch of the task.
 *
 * Nothing else is needed, because channel 0 works in order: whoever takes FREE[h] on channel 0 takes it for all
 * commands behind it there. So
 *   - the weights of task t + 1 overwrite those of task t - 1. They are pushed after the inputs of the second
 *     tile of task t, which waited for the last tile of task t - 1; if task t has a single tile, the first
 *     weight step itself takes that half's FREE, and the inputs that follow need not;
 *   - a task that depends on earlier ones takes the FREE of both halves before its first input: then every
 *     output before it is stored. The next tile finds its half taken already.
 *
 * A phase that a tile does not have is skipped: without outputs the last launch signals FREE, without launches
 * the last input signals DONE. Without inputs, a command on channel 0 that moves nothing stands in for them, so that
 * FREE always has the one consumer.
 *
 * The order in the ring, for each tile g: its launches, among them the outputs of tile g - 1 and the inputs of
 * tile g + 1. Each command waits only for commands before it in the ring, so the hardware's finite queues cannot
 * deadlock; and launches of a tile stand before whatever waits for the tile before, so the array has work
 * queued while the DMA queues are blocked. When a depending task follows, the outputs of tile g come before the
 * inputs of g + 1.
 *
 * Without ping-pong (network flag) every tile is treated like the first of a depending task, so that the next one is
 * loaded when the one before is stored; the weights of the next task follow those inputs.
 *
 * A gather (step flag) is one input step and as many commands as it has indices, which are read from memory as the
 * commands are made: the first takes what the step takes, the last signals what it signals. It has at most half a
 * ring of indices, so that a full ring always holds a command that wakes the CPU.
 *
 * A gather that chooses (step flag) has fp16 scores instead of indices. The runtime reads them, and chooses, when it
 * makes the tile's commands, so that it does so for one tile while the array works on the one before. The scores are
 * outputs of earlier tasks: before the first tile of such a task, which must depend on them, it waits until they are
 * stored.
 *
 * At the end a command takes the FREE of both halves: then all is done.
 *
 * Interrupts: the last command of a task carries the interrupt flag, and so does the last output of a tile
 * when the ring is a quarter further than the last flag.
 */
#ifndef RUNTIME_NETWORK_H
#define RUNTIME_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "bvp_hw.h"
#include "driver/sequencer.h"
#include "hal/linkage.h"

HAL_BEGIN_DECLARATIONS

enum network_semaphore {
  network_semaphore_free = 0, /* + half */
  network_semaphore_full = 2,
  network_semaphore_done = 4,
  network_semaphore_weights = 6, /* + parity */
  network_semaphore_count = 8
};

/* The DMA channel of weights and inputs. */
enum { network_channel_in = 0 };

/* Versions of the header of a network in which gathers choose, of one whose commands have check words, and of one that
 * stands in for another network when rows of PEs are left out; others have BVP_NETWORK_VERSION. */
enum {
  network_version_choosing = BVP_NETWORK_VERSION + 1,
  network_version_checked = BVP_NETWORK_VERSION + 2,
  network_version_spare = BVP_NETWORK_VERSION + 3
};

enum network_result {
  network_ok = 0,
  network_bad_descriptor,  /* network_check says what is wrong */
  network_sequencer_error, /* see sequencer_error_status */
  network_timed_out,       /* the CPU has waited for a command for longer than the limit of waits */
};

/* A command of a network, found by its tag. */
struct network_command {
  const struct bvp_task* task;
  uint32_t task_index;
  uint32_t step;     /* within its phase */
  const char* phase; /* "weights", "input", "launch", "output", "order" (it moves nothing), "end" of the network */
};

/* Called when the accelerator has all commands that the ring has room for, and at the end; so what they do does not
 * hold it up. Each may be NULL. */
struct network_observer {
  /* A task has completed, in their order; `cycle` (mcycle) is when the runtime learnt of it. */
  void (*task_done)(void* context, uint32_t task, const struct bvp_task* description, uint64_t cycle);
  /* Does a little of what can wait, such as sending a character. False: there was nothing to do. Tasks are reported
   * only then. */
  bool (*idle)(void* context);
  /* The last store is done, or the sequencer has stopped; tasks that have not been reported follow. */
  void (*finished)(void* context);
  void* context;
};

/* Checks a whole descriptor. Returns what is wrong with it, NULL: nothing. `task` is set to the task with the fault. */
const char* network_check(const struct bvp_network_header* network, uint32_t* task);

/* Finds the command that has this tag. `near` is a task that ran about then, because a tag holds 16 bits of the task's
 * number. False: the tag is none of the network's. */
bool network_find_command(const struct bvp_network_header* network, uint32_t tag, uint32_t near,
                          struct network_command* found);

/* What the DMA reaches in the CPU's memory, so that the network's DRAM traffic stays as it is planned: the indices that
 * gathers have chosen, and what commands write that move nothing of the network. */
struct network_dma_memory {
  uint32_t choices[BVP_CHOICE_LISTS][BVP_CHOICE_LIMIT];
  uint16_t stand_in;
};
extern struct network_dma_memory network_dma_memory;

/* The options of the run, NULL: there are none. */
const struct bvp_run_options* network_options(const struct bvp_network_header* network);

/* Sets the limits and the check words that the run asks for, and lets the accelerator reach the memory that the network
 * needs, and no other, if the run asks for that. Call it after sequencer_init. */
void network_prepare(const struct bvp_network_header* network, struct sequencer* seq);

/* Which PEs the failure of a network is about, and what can be done about it. */
struct network_repair {
  uint32_t rows;                            /* at fault, a bit for each row of the array */
  const struct bvp_network_header* network; /* that can be run without them; NULL: none */
};

/* Finds the rows of PEs at fault when network_run has failed: those of PEs that have refused a launch, have failed, or
 * have not ended in time. Stops all units, so call it before sequencer_recover. */
struct network_repair network_find_repair(const struct bvp_network_header* network);

/* Leaves out the rows at fault, and prepares the accelerator for the repair's network. Call it after sequencer_recover.
 * False: the sequencer has refused. */
bool network_leave_out(const struct network_repair* repair, struct sequencer* seq);

/* The tag of the oldest command in the ring that has not completed, by what the driver knows when network_run has
 * returned network_timed_out. The ring holds it still if it has more entries than the units' queues together. */
uint32_t network_awaited_tag(const struct sequencer* seq);

/* Runs all tasks of a descriptor; returns when the last store is done. The sequencer has been initialised with its
 * ring. Each task is checked while the one before it runs, so that no time passes before the first command. With a bad
 * descriptor the tasks before the fault may have run, and the accelerator may still be at work. */
enum network_result network_run(const struct bvp_network_header* network, struct sequencer* seq,
                                const struct network_observer* observer);

/* The same for networks of the other versions. The functions above call these for them. */
const char* network_check_choosing(const struct bvp_network_header* network, uint32_t* task);
const char* network_check_checked(const struct bvp_network_header* network, uint32_t* task);
const char* network_check_spare(const struct bvp_network_header* network, uint32_t* task);
bool network_find_command_choosing(const struct bvp_network_header* network, uint32_t tag, uint32_t near,
                                   struct network_command* found);
bool network_find_command_checked(const struct bvp_network_header* network, uint32_t tag, uint32_t near,
                                  struct network_command* found);
bool network_find_command_spare(const struct bvp_network_header* network, uint32_t tag, uint32_t near,
                                struct network_command* found);
enum network_result network_run_choosing(const struct bvp_network_header* network, struct sequencer* seq,
                                         const struct network_observer* observer);
enum network_result network_run_checked(const struct bvp_network_header* network, struct sequencer* seq,
                                        const struct network_observer* observer);
enum network_result network_run_spare(const struct bvp_network_header* network, struct sequencer* seq,
                                      const struct network_observer* observer);

HAL_END_DECLARATIONS

#endif
