/* SPDX-License-Identifier: Apache-2.0 */
/* Two errors and what to do about them: a load that faults, and a command that the sequencer refuses. */
#include <stdio.h>
#include <string.h>

#include "driver/sequencer.h"
#include "hal/exit.h"
#include "hal/trap.h"

enum { ring_entries = 16 };

static struct bvp_command ring[ring_entries] __attribute__((aligned(64)));
static struct sequencer seq;
static volatile bool faulted;

/* Goes on behind the load. Whether an instruction has 2 or 4 bytes, its lowest two bits say. */
static bool skip_load(struct trap* trap) {
  if (trap->cause != trap_load_access_fault) return false;
  faulted = true;
  const uint16_t instruction = *(const uint16_t*)(uintptr_t)trap->pc;
  trap->pc += (instruction & 3) == 3 ? 4 : 2;
  return true;
}

static bool is_there(uint64_t address) {
  faulted = false;
  trap_set_handler(skip_load);
  (void)*(volatile const uint32_t*)(uintptr_t)address;
  trap_set_handler(NULL);
  return !faulted;
}

static bool do_command(uint8_t opcode) {
  struct bvp_command* command = sequencer_next(&seq);
  if (command == NULL) return false;
  sequencer_command_clear(command, opcode, 7);
  command->flags = BVP_COMMAND_FLAG_INTERRUPT;
  const sequencer_ticket ticket = sequencer_push(&seq);
  sequencer_doorbell(&seq);
  return sequencer_wait(&seq, ticket);
}

int main(void) {
  const uint64_t nowhere = 0x30000000;
  printf("boot RAM: %s, 0x30000000: %s\n", is_there(BVP_BOOT_RAM_BASE) ? "there" : "missing",
         is_there(nowhere) ? "there" : "missing");

  const uint8_t no_such_opcode = 99;
  if (!sequencer_init(&seq, ring, ring_entries)) return exit_sequencer;
  if (do_command(no_such_opcode)) return exit_check_failed;
  sequencer_print_error(&seq);
  /* The sequencer stays stopped until it is reset: what was in the ring is lost, semaphores are 0. */
  if (!sequencer_init(&seq, ring, ring_entries) || !do_command(BVP_OPCODE_SYNC)) {
    sequencer_print_error(&seq);
    return exit_sequencer;
  }
  printf("the sequencer works again\n");
  return exit_done;
}
