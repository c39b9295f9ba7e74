/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/network.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "hal/csr.h"

/* This file is compiled three more times: by network_choosing.c for networks in which gathers choose, by
 * network_checked.c for networks whose commands have check words, and by network_spare.c for networks that stand in for
 * another one. Others do not take an instruction more because of them. */
#ifndef RUNTIME_CHOOSES
#define RUNTIME_CHOOSES 0
#endif
#ifndef RUNTIME_CHECKS
#define RUNTIME_CHECKS 0
#endif
#ifndef RUNTIME_SPARE
#define RUNTIME_SPARE 0
#endif
#if RUNTIME_SPARE
#define network_check network_check_spare
#define network_run network_run_spare
#define network_find_command network_find_command_spare
enum { runtime_version = network_version_spare };
#elif RUNTIME_CHECKS
#define network_check network_check_checked
#define network_run network_run_checked
#define network_find_command network_find_command_checked
enum { runtime_version = network_version_checked };
#elif RUNTIME_CHOOSES
#define network_check network_check_choosing
#define network_run network_run_choosing
#define network_find_command network_find_command_choosing
enum { runtime_version = network_version_choosing };
#else
enum { runtime_version = BVP_NETWORK_VERSION };
#endif

enum phase { phase_weights, phase_inputs, phase_launches, phase_outputs, phase_count };

enum { pending_limit = 256 };

static const uint8_t no_semaphore = BVP_SEMAPHORE_NONE;

/* What the runtime needs of a task for each of its tiles. */
struct task_plan {
  const struct bvp_task* task;
  const struct bvp_step* steps;
  uint32_t index;
  uint32_t first[phase_count];      /* index in `steps` of the first step of each phase */
  uint32_t count[phase_count];      /* steps of each phase */
  uint32_t present[2][phase_count]; /* steps of each phase that a tile does; [1]: a tile that is the last of its
                                       innermost level */
  bool weights_awaited;             /* the task has weights, and launches that need them */
  bool weights_waiting;             /* the first launch that needs the weights has not been pushed yet */
};

struct tile {
  struct task_plan* plan;
  uint32_t index[3];
  uint32_t half;
  uint32_t tail; /* 1: the last of its innermost level */
  bool first, last;
};

/* Tasks whose last command has been pushed and that the observer does not know to be done, by number % pending_limit.
 */
struct pending_tasks {
  sequencer_ticket tickets[pending_limit];
  uint64_t done_cycles[pending_limit]; /* mcycle when the runtime learnt that the task was done */
};

#if RUNTIME_CHOOSES
/* What the last choosing gather has chosen lies in the list `list` of network_dma_memory. */
static struct {
  int32_t scores[BVP_CHOICE_LIMIT];           /* while it chooses: of the indices in the list */
  sequencer_ticket readers[BVP_CHOICE_LISTS]; /* the last command that reads each list */
  uint32_t list, made;                        /* lists made so far */
} choice __attribute__((section(".noinit")));
#endif

struct walk {
  const struct bvp_network_header* network;
  struct sequencer* seq;
  const struct network_observer* observer;
  enum network_result result; /* nothing is pushed any more unless it is network_ok */
  bool held[2];               /* channel 0 has taken FREE of this half */
  /* The launches of the current tile are pushed among the transfers that belong to the tiles before and behind it. */
  struct tile current;
  uint32_t launches, launches_pushed, launch_step;
  uint32_t transfers, transfers_pushed;
  uint32_t last_launch_tag;     /* tag of the last launch pushed: the PEs still hold the weights of that step */
  sequencer_ticket last_ticket; /* ticket of the last command pushed */
  struct pending_tasks* pending;
  /* tasks_reported <= tasks_done <= tasks_pushed */
  uint32_t tasks_pushed, tasks_done, tasks_reported;
};

static bool has_failed(const struct walk* walk) { return walk->result != network_ok; }

static const struct bvp_task* task_table(const struct bvp_network_header* network) {
  return (const struct bvp_task*)(uintptr_t)network->tasks;
}

static bool step_present(const struct bvp_step* step, bool tail) {
  return !tail || step->tail_index == BVP_TAIL_NONE || step->tail_count != 0;
}

static const char* check_gather(const struct bvp_step* step, bool input) {
  struct bvp_dma_descriptor pattern;
  memcpy(&pattern, step->command.registers, sizeof pattern);
  if (!input) return "a step gathers that is no input";
  if ((step->command.flags & BVP_COMMAND_FLAG_INDEXED) == 0) return "a gather's command is not indexed";
  if (pattern.count[2] == 0) return "a gather has no index";
  if (step->tail_index != BVP_TAIL_NONE && (step->tail_index != 2 || step->tail_count > pattern.count[2]))
    return "a gather's tail is not one of its indices";
  const bool chooses = (step->flags & BVP_STEP_FLAG_CHOOSE) != 0;
  if (step->command.image == 0 || step->command.image % (chooses ? sizeof(uint16_t) : sizeof(uint32_t)) != 0)
    return "a gather's indices are not aligned";
  if (step->command.image_bytes == 0) return "a gather has no bound of its indices";
  if ((step->half_mask & 1) != 0 || pattern.fill != 0) return "a gather does not read from a table";
#if RUNTIME_CHOOSES
  const uint32_t candidates = step->command.counts[0];
  if (chooses && (step->tail_index != BVP_TAIL_NONE || pattern.count[2] > BVP_CHOICE_LIMIT ||
                  (candidates != 0 && pattern.count[2] > candidates)))
    return "a gather chooses more indices than there are, or than the runtime can hold";
#endif
  return NULL;
}

static const char* check_step(const struct bvp_step* step, enum phase phase) {
  const bool launch = phase == phase_launches;
  if (step->command.opcode != (launch ? BVP_OPCODE_LAUNCH : BVP_OPCODE_DMA)) return "a step has the wrong opcode";
  if (step->tail_index != BVP_TAIL_NONE && step->tail_index >= (launch ? 4u : 3u))
    return "a step's tail_index is out of range";
  if (launch ? (step->half_mask & step->half_mask >> 16) != 0 : step->half_mask >> 2 != 0)
    return "a step's half_mask is out of range";
  if ((step->flags & BVP_STEP_FLAG_GATHER) != 0) return check_gather(step, phase == phase_inputs);
  return NULL;
}

/* Fills in a plan, and checks the task and its steps as it goes through them. Returns what is wrong, NULL: nothing. */
static const char* plan_task(struct task_plan* plan, const struct bvp_network_header* network, uint32_t index) {
  const struct bvp_task* task = &task_table(network)[index];
  uint64_t tiles = 1;
  for (int level = 0; level < 3; ++level) {
    if (task->tiles[level] == 0) return "a tile count is 0";
    tiles *= task->tiles[level];
    if (tiles > UINT32_MAX) return "too many tiles";
  }
  const uint64_t steps = (uint64_t)task->weight_steps + task->input_steps + task->compute_steps + task->output_steps;
  if (steps >= BVP_NETWORK_STEP_STAND_IN) return "too many steps";
  if (task->first_step + steps > network->step_count) return "its steps lie beyond the step table";

  plan->task = task;
  plan->index = index;
  plan->steps = (const struct bvp_step*)(uintptr_t)network->steps + task->first_step;
  plan->count[phase_weights] = task->weight_steps;
  plan->count[phase_inputs] = task->input_steps;
  plan->count[phase_launches] = task->compute_steps;
  plan->count[phase_outputs] = task->output_steps;
  uint32_t first = 0;
  for (int phase = 0; phase < phase_count; ++phase) {
    plan->first[phase] = first;
    plan->present[0][phase] = plan->count[phase];
    plan->present[1][phase] = 0;
    for (uint32_t i = 0; i < plan->count[phase]; ++i) {
      const struct bvp_step* step = &plan->steps[first + i];
      const char* problem = check_step(step, (enum phase)phase);
      if (problem != NULL) return problem;
      plan->present[1][phase] += step_present(step, phase != phase_weights);
    }
    first += plan->count[phase];
  }
  for (int tail = 0; tail < 2; ++tail) {
    const uint32_t* present = plan->present[tail];
    if (present[phase_inputs] + present[phase_launches] + present[phase_outputs] == 0) return "a tile has no steps";
  }
  const uint32_t launches =
      plan->present[1][phase_launches] + (task->tiles[0] > 1 ? plan->present[0][phase_launches] : 0);
  plan->weights_awaited = plan->weights_waiting = task->weight_steps > 0 && launches > 0;
  return NULL;
}

static uint32_t tile_steps(const struct tile* tile, enum phase phase) { return tile->plan->present[tile->tail][phase]; }

static void tile_update(struct tile* tile) {
  const uint32_t* tiles = tile->plan->task->tiles;
  tile->tail = tile->index[0] == tiles[0] - 1;
  tile->first = (tile->index[0] | tile->index[1] | tile->index[2]) == 0;
  tile->last = tile->tail && tile->index[1] == tiles[1] - 1 && tile->index[2] == tiles[2] - 1;
}

static void tile_first(struct tile* tile, struct task_plan* plan, uint32_t half) {
  tile->plan = plan;
  tile->index[0] = tile->index[1] = tile->index[2] = 0;
  tile->half = half;
  tile_update(tile);
}

static void tile_advance(struct tile* tile) {
  for (int level = 0; level < 3; ++level) {
    if (++tile->index[level] < tile->plan->task->tiles[level]) break;
    tile->index[level] = 0;
  }
  tile->half ^= 1;
  tile_update(tile);
}

static void add_to_address(uint32_t* words, int64_t bytes) {
  const uint64_t address = ((uint64_t)words[1] << 32 | words[0]) + (uint64_t)bytes;
  words[0] = (uint32_t)address;
  words[1] = (uint32_t)(address >> 32);
}

/* A command's part in the protocol. */
struct link {
  uint8_t wait[2];
  uint8_t signal;
  bool interrupt;
};

static const struct link no_link = {{BVP_SEMAPHORE_NONE, BVP_SEMAPHORE_NONE}, BVP_SEMAPHORE_NONE, false};

static void note_done_tasks(struct walk* walk) {
  while (walk->tasks_done != walk->tasks_pushed &&
         sequencer_reached(walk->seq, walk->pending->tickets[walk->tasks_done % pending_limit]))
    walk->pending->done_cycles[walk->tasks_done++ % pending_limit] = cycle_count();
}

/* False: every task that is done has been reported. */
static bool report_task(struct walk* walk) {
  if (walk->tasks_reported == walk->tasks_done) return false;
  const uint32_t task = walk->tasks_reported++;
  if (walk->observer->task_done != NULL)
    walk->observer->task_done(walk->observer->context, task, &task_table(walk->network)[task],
                              walk->pending->done_cycles[task % pending_limit]);
  return true;
}

/* Does a little of what can wait until the hardware has all its commands. False: there is nothing left. */
static bool use_idle_time(struct walk* walk) {
  note_done_tasks(walk);
  if (walk->observer->idle != NULL && walk->observer->idle(walk->observer->context)) return true;
  return report_task(walk);
}

static enum network_result why_waiting_failed(const struct walk* walk) {
  return walk->seq->error != 0 ? network_sequencer_error : network_timed_out;
}

static void wait_for(struct walk* walk, sequencer_ticket ticket) {
  while (!sequencer_reached(walk->seq, ticket) && use_idle_time(walk)) {
  }
  if (!sequencer_wait(walk->seq, ticket)) walk->result = why_waiting_failed(walk);
}

/* The hardware sees each command at once: a command takes the CPU some hundred cycles to make and 21 to show, and the
 * accelerator may wait for it. */
static void push(struct walk* walk, struct bvp_command* command, struct link link) {
  command->wait[0] = link.wait[0];
  command->wait[1] = link.wait[1];
  command->signal = link.signal;
  if (link.interrupt) command->flags |= BVP_COMMAND_FLAG_INTERRUPT;
  walk->last_ticket = sequencer_push(walk->seq);
#if RUNTIME_CHECKS
  if (walk->seq->checks_commands) sequencer_seal(command);
#endif
  sequencer_doorbell(walk->seq);
}

static struct bvp_command* next_slot(struct walk* walk) {
  if (has_failed(walk)) return NULL;
  while (sequencer_full(walk->seq) && use_idle_time(walk)) {
  }
  struct bvp_command* slot = sequencer_next(walk->seq);
  if (slot == NULL) walk->result = why_waiting_failed(walk);
  return slot;
}

#if !RUNTIME_CHOOSES
struct network_dma_memory network_dma_memory __attribute__((section(".noinit")));
#endif

/* A command on channel 0 that only waits and signals: it fills two bytes that nobody reads. */
static void push_stand_in(struct walk* walk, uint32_t tag, struct link link) {
  struct bvp_command* slot = next_slot(walk);
  if (slot == NULL) return;
  sequencer_command_clear(slot, BVP_OPCODE_DMA, tag);
  slot->unit = network_channel_in;
  uint32_t* descriptor = slot->registers;
  add_to_address(descriptor + offsetof(struct bvp_dma_descriptor, destination) / 4,
                 (intptr_t)&network_dma_memory.stand_in);
  descriptor[offsetof(struct bvp_dma_descriptor, length) / 4] = 2;
  descriptor[offsetof(struct bvp_dma_descriptor, fill) / 4] = BVP_DMA_FILL_FLAG;
  for (int i = 0; i < 3; ++i) descriptor[offsetof(struct bvp_dma_descriptor, count) / 4 + i] = 1;
  push(walk, slot, link);
}

static void add_to_registers(uint32_t* registers, uint32_t mask, uint32_t bytes) {
  for (uint32_t i = 0; mask != 0; ++i, mask >>= 1)
    if ((mask & 1) != 0) registers[i] += bytes;
}

#if RUNTIME_SPARE
/* Added to the numbers of tasks, so that the tags of this network are none of those of the network that it stands in
 * for. */
static uint32_t first_tag __attribute__((section(".noinit")));

static uint32_t first_tag_of(const struct bvp_network_header* network) {
  return ((const struct bvp_run_options*)((uintptr_t)network + (uintptr_t)network->options))->first_tag;
}
#else
enum { first_tag = 0 };
#endif

/* The tag holds the lower 16 bits of the task's number. */
static uint32_t tag_of(const struct task_plan* plan, uint32_t step) { return (plan->index + first_tag) << 16 | step; }

/* Pushes the command of a step with the addresses and counts of the tile. */
static void push_step(struct walk* walk, const struct tile* tile, uint32_t step_index, uint8_t channel,
                      struct link link) {
  struct bvp_command* slot = next_slot(walk);
  if (slot == NULL) return;
  const struct bvp_step* step = &tile->plan->steps[step_index];
  *slot = step->command;
  slot->tag = tag_of(tile->plan, step_index);
  const int64_t half = tile->half != 0 ? (int64_t)walk->network->half_bytes : 0;
  const bool tail = tile->tail && step->tail_index != BVP_TAIL_NONE;
  if (slot->opcode == BVP_OPCODE_DMA) {
    slot->unit = channel;
    int64_t source = (step->half_mask & 1) != 0 ? half : 0;
    int64_t destination = (step->half_mask & 2) != 0 ? half : 0;
    for (int level = 0; level < 3; ++level) {
      source += step->source_stride[level] * (int64_t)tile->index[level];
      destination += step->destination_stride[level] * (int64_t)tile->index[level];
    }
    add_to_address(slot->registers + offsetof(struct bvp_dma_descriptor, source) / 4, source);
    add_to_address(slot->registers + offsetof(struct bvp_dma_descriptor, destination) / 4, destination);
    if (tail) slot->registers[offsetof(struct bvp_dma_descriptor, count) / 4 + step->tail_index] = step->tail_count;
  } else {
    const uint32_t with_half = step->half_mask & 0xffff, with_tile = step->half_mask >> 16;
    if (half != 0) add_to_registers(slot->registers, with_half, (uint32_t)half);
    if (with_tile != 0) {
      int64_t distance = 0;
      for (int level = 0; level < 3; ++level) distance += step->source_stride[level] * (int64_t)tile->index[level];
      add_to_registers(slot->registers, with_tile, (uint32_t)distance);
    }
    if (tail) slot->counts[step->tail_index] = step->tail_count;
    if (walk->last_launch_tag == slot->tag && (step->flags & BVP_STEP_FLAG_OWN_WEIGHTS) == 0)
      slot->flags |= BVP_COMMAND_FLAG_RESIDENT;
    walk->last_launch_tag = slot->tag;
  }
  push(walk, slot, link);
}

#if RUNTIME_CHOOSES
/* An fp16 number as an integer of the same order; both zeros are 0. */
static int32_t order_of(uint16_t half) {
  const int32_t magnitude = half & 0x7fff;
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

/* Chooses the `count` highest of `candidates` scores; of equal ones the lower index. The highest so far are kept from
 * the highest down, which leaves most candidates a single comparison, and are put in order at the end. */
static void choose(const uint16_t* scores, uint32_t candidates, uint32_t count, uint32_t* indices) {
  uint32_t kept = 0;
  for (uint32_t index = 0; index < candidates; ++index) {
    const int32_t score = order_of(scores[index]);
    if (kept == count && score <= choice.scores[kept - 1]) continue;
    uint32_t at = kept < count ? kept++ : kept - 1;
    for (; at > 0 && score > choice.scores[at - 1]; --at) {
      choice.scores[at] = choice.scores[at - 1];
      indices[at] = indices[at - 1];
    }
    choice.scores[at] = score;
    indices[at] = index;
  }
  for (uint32_t i = 1; i < kept; ++i) {
    const uint32_t index = indices[i];
    uint32_t at = i;
    for (; at > 0 && indices[at - 1] > index; --at) indices[at] = indices[at - 1];
    indices[at] = index;
  }
}

/* Waits for a command that may have no interrupt flag: asks the hardware before each piece of other work. */
static void wait_and_ask(struct walk* walk, sequencer_ticket ticket) {
  while (!sequencer_ask(walk->seq, ticket)) {
    if (use_idle_time(walk)) continue;
    if (!sequencer_wait(walk->seq, ticket)) walk->result = why_waiting_failed(walk);
    return;
  }
}

/* Chooses for a tile, into a list that no command reads any more. Before the first choice of a task all that has been
 * pushed must be done, because the scores are outputs of tasks before it. */
static void make_list(struct walk* walk, const struct tile* tile, const struct bvp_step* step, const uint16_t* scores) {
  struct bvp_dma_descriptor pattern;
  memcpy(&pattern, step->command.registers, sizeof pattern);
  if (tile->first) wait_and_ask(walk, walk->last_ticket);
  choice.list = choice.made % BVP_CHOICE_LISTS;
  if (choice.made++ >= BVP_CHOICE_LISTS) wait_and_ask(walk, choice.readers[choice.list]);
  choose(scores, step->command.counts[0], pattern.count[2], network_dma_memory.choices[choice.list]);
}
#endif

/* Pushes the command of a gather with the addresses and counts of the tile. */
static void push_gather(struct walk* walk, const struct tile* tile, uint32_t step_index, struct link link) {
  const struct bvp_step* step = &tile->plan->steps[step_index];
  uint64_t indices = step->command.image;
  int64_t moved = 0,
          destination = tile->half != 0 && (step->half_mask & 2) != 0 ? (int64_t)walk->network->half_bytes : 0;
  for (int level = 0; level < 3; ++level) {
    indices += (uint64_t)(step->source_stride[level] * (int64_t)tile->index[level]);
    moved += step->destination_stride[level] * (int64_t)tile->index[level];
  }
  int64_t source = 0;
#if RUNTIME_CHOOSES
  const bool chooses = (step->flags & BVP_STEP_FLAG_CHOOSE) != 0;
  if (chooses) {
    if (step->command.counts[0] != 0) make_list(walk, tile, step, (const uint16_t*)(uintptr_t)indices);
    indices = (uintptr_t)network_dma_memory.choices[choice.list];
    source = moved;
    moved = 0;
  }
#endif
  destination += moved;
  struct bvp_command* slot = next_slot(walk);
  if (slot == NULL) return;
  *slot = step->command;
  slot->tag = tag_of(tile->plan, step_index);
  slot->unit = network_channel_in;
  slot->image = indices;
  slot->counts[0] = 0;
  add_to_address(slot->registers + offsetof(struct bvp_dma_descriptor, source) / 4, source);
  add_to_address(slot->registers + offsetof(struct bvp_dma_descriptor, destination) / 4, destination);
  if (tile->tail && step->tail_index != BVP_TAIL_NONE)
    slot->registers[offsetof(struct bvp_dma_descriptor, count) / 4 + 2] = step->tail_count;
  push(walk, slot, link);
#if RUNTIME_CHOOSES
  if (chooses) choice.readers[choice.list] = walk->last_ticket;
#endif
}

static uint8_t take_free(struct walk* walk, uint32_t half) {
  if (walk->held[half]) return no_semaphore;
  walk->held[half] = true;
  return (uint8_t)(network_semaphore_free + half);
}

/* Whether a command carries the interrupt flag: the last one of a task does, and enough others that a full ring always
 * holds one that wakes the CPU. */
static bool wants_interrupt(const struct walk* walk, const struct tile* tile) {
  return tile->last || walk->seq->since_flag >= walk->network->ring_entries / 4;
}

static void task_pushed(struct walk* walk, const struct tile* tile) {
  if (!tile->last || has_failed(walk)) return;
  const sequencer_ticket ticket = walk->last_ticket;
  if (walk->tasks_pushed - walk->tasks_reported == pending_limit) {
    wait_for(walk, walk->pending->tickets[walk->tasks_reported % pending_limit]);
    note_done_tasks(walk);
    report_task(walk);
  }
  walk->pending->tickets[walk->tasks_pushed++ % pending_limit] = ticket;
}

static void push_launch(struct walk* walk) {
  const struct tile* tile = &walk->current;
  struct task_plan* plan = tile->plan;
  const uint32_t base = plan->first[phase_launches];
  while (!step_present(&plan->steps[base + walk->launch_step], tile->tail != 0)) ++walk->launch_step;
  struct link link = no_link;
  if (walk->launches_pushed == 0) {
    link.wait[0] = (uint8_t)(network_semaphore_full + tile->half);
    if (plan->weights_waiting) link.wait[1] = (uint8_t)(network_semaphore_weights + plan->index % 2);
    plan->weights_waiting = false;
  }
  bool ends_tile = false;
  if (walk->launches_pushed == walk->launches - 1) {
    ends_tile = tile_steps(tile, phase_outputs) == 0;
    link.signal = (uint8_t)((ends_tile ? network_semaphore_free : network_semaphore_done) + tile->half);
    link.interrupt = ends_tile && wants_interrupt(walk, tile);
  }
  push_step(walk, tile, base + walk->launch_step, 0, link);
  ++walk->launch_step;
  ++walk->launches_pushed;
  if (ends_tile) task_pushed(walk, tile);
}

static void push_remaining_launches(struct walk* walk) {
  while (!has_failed(walk) && walk->launches_pushed < walk->launches) push_launch(walk);
}

/* Called before each transfer: pushes launches of the current tile, at least one and as many as keep launches and
 * transfers in proportion. */
static void pace_launches(struct walk* walk) {
  while (!has_failed(walk) && walk->launches_pushed < walk->launches &&
         (walk->launches_pushed == 0 ||
          (uint64_t)walk->launches_pushed * walk->transfers < (uint64_t)walk->transfers_pushed * walk->launches))
    push_launch(walk);
  ++walk->transfers_pushed;
}

static void push_inputs(struct walk* walk, const struct tile* tile, bool after_stores) {
  const struct task_plan* plan = tile->plan;
  const uint32_t count = tile_steps(tile, phase_inputs);
  const bool has_launches = tile_steps(tile, phase_launches) > 0;
  const bool ends_tile = !has_launches && tile_steps(tile, phase_outputs) == 0;
  const uint32_t next = has_launches ? network_semaphore_full
                        : ends_tile  ? network_semaphore_free
                                     : network_semaphore_done;
  struct link first = no_link;
  first.wait[0] = take_free(walk, tile->half);
  if (after_stores) first.wait[1] = take_free(walk, tile->half ^ 1);
  walk->held[tile->half] = false;
  if (count == 0) {
    first.signal = (uint8_t)(next + tile->half);
    pace_launches(walk);
    push_stand_in(walk, tag_of(plan, BVP_NETWORK_STEP_STAND_IN), first);
    return;
  }
  uint32_t pushed = 0;
  for (uint32_t i = 0; i < plan->count[phase_inputs] && !has_failed(walk); ++i) {
    if (!step_present(&plan->steps[plan->first[phase_inputs] + i], tile->tail != 0)) continue;
    pace_launches(walk);
    struct link link = pushed == 0 ? first : no_link;
    if (++pushed == count) {
      link.signal = (uint8_t)(next + tile->half);
      link.interrupt = ends_tile && wants_interrupt(walk, tile);
    }
    const uint32_t step = plan->first[phase_inputs] + i;
    if ((plan->steps[step].flags & BVP_STEP_FLAG_GATHER) != 0) {
      push_gather(walk, tile, step, link);
    } else {
      push_step(walk, tile, step, network_channel_in, link);
    }
  }
  if (ends_tile) task_pushed(walk, tile);
}

static void push_outputs(struct walk* walk, const struct tile* tile) {
  const struct task_plan* plan = tile->plan;
  const uint32_t count = tile_steps(tile, phase_outputs);
  uint32_t pushed = 0;
  for (uint32_t i = 0; i < plan->count[phase_outputs] && !has_failed(walk); ++i) {
    if (!step_present(&plan->steps[plan->first[phase_outputs] + i], tile->tail != 0)) continue;
    pace_launches(walk);
    struct link link = no_link;
    if (pushed == 0) link.wait[0] = (uint8_t)(network_semaphore_done + tile->half);
    if (++pushed == count) {
      link.signal = (uint8_t)(network_semaphore_free + tile->half);
      link.interrupt = wants_interrupt(walk, tile);
    }
    push_step(walk, tile, plan->first[phase_outputs] + i, (uint8_t)walk->network->output_channel, link);
  }
  if (count > 0) task_pushed(walk, tile);
}

/* `free_half`: the half whose FREE says that nobody needs the weights any more that lie where these go; 2: the runtime
 * knows that already. */
static void push_weights(struct walk* walk, struct task_plan* plan, uint32_t free_half, bool after_stores) {
  const uint32_t count = plan->count[phase_weights];
  struct tile tile;
  tile_first(&tile, plan, 0);
  tile.tail = 0;
  for (uint32_t i = 0; i < count && !has_failed(walk); ++i) {
    struct link link = no_link;
    if (i == 0) {
      if (free_half < 2) link.wait[0] = take_free(walk, free_half);
      if (after_stores) {
        link.wait[0] = take_free(walk, 0);
        link.wait[1] = take_free(walk, 1);
      }
    }
    if (i == count - 1 && plan->weights_awaited) link.signal = (uint8_t)(network_semaphore_weights + plan->index % 2);
    pace_launches(walk);
    push_step(walk, &tile, plan->first[phase_weights] + i, network_channel_in, link);
  }
}

/* Plans a task. False: the task or one of its steps is wrong. */
static bool begin_task(struct walk* walk, struct task_plan* plan, uint32_t index) {
  if (plan_task(plan, walk->network, index) != NULL) walk->result = network_bad_descriptor;
  return !has_failed(walk);
}

static bool task_has(const struct task_plan* plan, uint32_t flag) { return (plan->task->flags & flag) != 0; }

static void run_tiles(struct walk* walk) {
  const uint32_t task_count = walk->network->task_count;
  struct task_plan plans[3]; /* by index % 3: the task of the previous tile, the current one and the next */
  if (!begin_task(walk, &plans[0], 0)) return;
  struct tile previous, next;
  bool has_previous = false;
  const bool ping_pong = (walk->network->flags & BVP_NETWORK_FLAG_NO_PING_PONG) == 0;

  tile_first(&next, &plans[0], 0);
  push_weights(walk, &plans[0], 2, false);
  push_inputs(walk, &next, false);
  for (bool has_next = true; has_next && !has_failed(walk);) {
    walk->current = next;
    walk->launches = tile_steps(&walk->current, phase_launches);
    walk->launches_pushed = walk->launch_step = walk->transfers_pushed = 0;
    struct task_plan* plan = walk->current.plan;
    struct task_plan* following = &plans[(plan->index + 1) % 3];
    const bool has_following = plan->index + 1 < task_count;
    const bool within = !walk->current.last;
    has_next = within || has_following;
    if (walk->current.first && has_following && !begin_task(walk, following, plan->index + 1)) return;
    if (within) {
      tile_advance(&next);
    } else if (has_following) {
      tile_first(&next, following, walk->current.half ^ 1);
    }
    const bool weights_late = has_following && task_has(following, BVP_TASK_FLAG_WEIGHTS_DEPEND);
    const bool weights_now = has_following && walk->current.first && !weights_late;
    const bool depends = has_following && !within && (weights_late || task_has(following, BVP_TASK_FLAG_DEPENDS));
    const bool drain = has_next && (depends || !ping_pong);
    walk->transfers = (has_previous ? tile_steps(&previous, phase_outputs) : 0) +
                      (has_next && !drain ? tile_steps(&next, phase_inputs) : 0) +
                      (weights_now ? following->count[phase_weights] : 0);

    if (has_previous) push_outputs(walk, &previous);
    if (weights_now && !within) push_weights(walk, following, next.half, false);
    if (has_next && !drain) push_inputs(walk, &next, false);
    if (weights_now && within && !drain) push_weights(walk, following, 2, false);
    push_remaining_launches(walk);
    previous = walk->current;
    has_previous = true;
    if (drain) {
      push_outputs(walk, &previous);
      has_previous = false;
      if (weights_late && !within) push_weights(walk, following, 2, true);
      push_inputs(walk, &next, true);
      if (weights_now && within) push_weights(walk, following, 2, false);
    }
    note_done_tasks(walk);
  }
  if (has_previous) push_outputs(walk, &previous);
}

static const char* check_header(const struct bvp_network_header* network) {
  if (network->magic != BVP_NETWORK_MAGIC) return "the magic number is wrong";
  if (network->version != runtime_version) return "the version is unknown";
  if (network->output_channel > UINT8_MAX) return "output_channel is out of range";
  if (network->task_count == 0) return "there are no tasks";
  if ((network->tasks | network->steps) % 8 != 0 || network->ring % 64 != 0) return "a table is not aligned";
  if (network->ring_entries < 2 || network->ring_entries > 65536 ||
      (network->ring_entries & (network->ring_entries - 1)) != 0)
    return "ring_entries must be a power of two from 2 to 65536";
  return NULL;
}

const char* network_check(const struct bvp_network_header* network, uint32_t* task) {
  *task = 0;
#if !RUNTIME_CHOOSES
  if (network->version == network_version_choosing) return network_check_choosing(network, task);
  if (network->version == network_version_checked) return network_check_checked(network, task);
  if (network->version == network_version_spare) return network_check_spare(network, task);
#endif
  const char* problem = check_header(network);
  for (uint32_t i = 0; problem == NULL && i < network->task_count; ++i) {
    struct task_plan plan;
    problem = plan_task(&plan, network, i);
    *task = i;
  }
  return problem;
}

bool network_find_command(const struct bvp_network_header* network, uint32_t tag, uint32_t near,
                          struct network_command* found) {
#if !RUNTIME_CHOOSES
  if (network->version == network_version_choosing) return network_find_command_choosing(network, tag, near, found);
  if (network->version == network_version_checked) return network_find_command_checked(network, tag, near, found);
  if (network->version == network_version_spare) return network_find_command_spare(network, tag, near, found);
#endif
  static const char* const phases[phase_count] = {"weights", "input", "launch", "output"};
  const uint32_t low_bits = 0xffff;
  memset(found, 0, sizeof *found);
  if (tag == BVP_NETWORK_TAG_END) {
    found->phase = "end";
    return true;
  }
#if RUNTIME_SPARE
  tag -= first_tag_of(network) << 16;
#endif
  uint32_t index = (near & ~low_bits) | tag >> 16;
  if (index > near + low_bits / 2 && index > low_bits) index -= low_bits + 1;
  if (index >= network->task_count) return false;
  struct task_plan plan;
  if (plan_task(&plan, network, index) != NULL) return false;
  found->task_index = index;
  found->task = plan.task;
  const uint32_t step = tag & low_bits;
  found->phase = "order";
  if (step == BVP_NETWORK_STEP_STAND_IN) return true;
  for (int phase = 0; phase < phase_count; ++phase) {
    if (step < plan.first[phase] || step - plan.first[phase] >= plan.count[phase]) continue;
    found->step = step - plan.first[phase];
    found->phase = phases[phase];
    return true;
  }
  return false;
}

enum network_result network_run(const struct bvp_network_header* network, struct sequencer* seq,
                                const struct network_observer* observer) {
  /* Too large for a stack; only one network runs at a time. Entries are written before they are read. */
  static struct pending_tasks pending __attribute__((section(".noinit")));
#if RUNTIME_SPARE
  if (check_header(network) != NULL) return network_bad_descriptor;
  first_tag = first_tag_of(network);
#elif RUNTIME_CHECKS
  if (check_header(network) != NULL)
    return network->version == network_version_spare ? network_run_spare(network, seq, observer)
                                                     : network_bad_descriptor;
#elif RUNTIME_CHOOSES
  if (check_header(network) != NULL)
    return network->version >= network_version_checked ? network_run_checked(network, seq, observer)
                                                       : network_bad_descriptor;
#else
  if (check_header(network) != NULL)
    return network->version >= network_version_choosing ? network_run_choosing(network, seq, observer)
                                                        : network_bad_descriptor;
#endif
  struct walk walk = {
      .network = network, .seq = seq, .observer = observer, .last_launch_tag = UINT32_MAX, .pending = &pending};
#if RUNTIME_CHOOSES
  choice.made = 0;
#endif
  for (uint32_t i = 0; i < network_semaphore_count; ++i)
    sequencer_set_semaphore(seq, i, i < network_semaphore_free + 2u ? 1 : 0);

  run_tiles(&walk);
  if (walk.result == network_bad_descriptor) return walk.result;
  struct link end = no_link;
  end.wait[0] = take_free(&walk, 0);
  end.wait[1] = take_free(&walk, 1);
  end.interrupt = true;
  push_stand_in(&walk, BVP_NETWORK_TAG_END, end);
  while (!has_failed(&walk) && walk.tasks_done < walk.tasks_pushed) {
    wait_for(&walk, walk.pending->tickets[walk.tasks_done % pending_limit]);
    note_done_tasks(&walk);
  }
  if (!has_failed(&walk)) wait_for(&walk, walk.last_ticket);
  if (observer->finished != NULL) observer->finished(observer->context);
  while (report_task(&walk)) {
  }
  return walk.result;
}
