/* SPDX-License-Identifier: Apache-2.0 */
/* Fault injection: takes the array's clock away while kernels run. */
#include <stddef.h>
#include <stdio.h>

#include "driver/sequencer.h"
#include "hal/power.h"
#include "hal/simulation_control.h"
#include "hal/timer.h"
#include "runtime/network.h"

enum { timer_ticks = 250 };

static void pull(void* context) {
  (void)context;
  power_set_array(array_clock_off);
}

int main(void) {
  static struct sequencer seq;
  const struct bvp_network_header* network = (const struct bvp_network_header*)simulation_argument();
  const struct network_observer nobody = {NULL, NULL, NULL, NULL};
  printf("taking the clock away in the middle of a network\n");
  timer_call_after(timer_ticks, pull, NULL);
  if (!sequencer_init(&seq, (struct bvp_command*)(uintptr_t)network->ring, network->ring_entries) ||
      network_run(network, &seq, &nobody) != network_ok) {
    sequencer_print_error(&seq);
    return exit_sequencer;
  }
  printf("it ran\n");
  return exit_check_failed;
}
