/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the network, sends the array to sleep in both ways, wakes it and runs the network again. */
#include <stdio.h>

#include "driver/sequencer.h"
#include "hal/csr.h"
#include "hal/power.h"
#include "hal/simulation_control.h"
#include "runtime/network.h"

enum { nap_cycles = 50000 };

/* awake.c does the same without sleep, to learn what sleep saves. */
static void set_array(enum array_power state) {
#ifndef STAY_AWAKE
  power_set_array(state);
#else
  (void)state;
#endif
}

static void nap(enum array_power state, const char* name) {
  const uint64_t begin = cycle_count();
  set_array(state);
  while (cycle_count() - begin < nap_cycles) {
  }
  const uint64_t wake = cycle_count();
  set_array(array_on);
  while (!power_array_ready()) {
  }
  printf("%s: awake again after %lu cycles\n", name, (unsigned long)(cycle_count() - wake));
}

int main(void) {
  static struct sequencer seq;
  const struct bvp_network_header* network = (const struct bvp_network_header*)simulation_argument();
  const struct network_observer nobody = {NULL, NULL, NULL, NULL};
  for (int turn = 0; turn < 2; ++turn) {
    if (!sequencer_init(&seq, (struct bvp_command*)(uintptr_t)network->ring, network->ring_entries) ||
        network_run(network, &seq, &nobody) != network_ok) {
      sequencer_print_error(&seq);
      return exit_sequencer;
    }
    printf("the network has run\n");
    if (turn == 0) {
      nap(array_clock_off, "clock off");
      nap(array_retention, "retention");
    }
  }
  return exit_done;
}
