/* SPDX-License-Identifier: Apache-2.0 */
/* Fault injection: launches kernels on an array without a clock. */
#include <stdio.h>

#include "driver/sequencer.h"
#include "hal/power.h"
#include "hal/simulation_control.h"
#include "runtime/network.h"

int main(void) {
  static struct sequencer seq;
  const struct bvp_network_header* network = (const struct bvp_network_header*)simulation_argument();
  const struct network_observer nobody = {NULL, NULL, NULL, NULL};
  power_set_array(array_clock_off);
  printf("running a network on an array without a clock\n");
  if (!sequencer_init(&seq, (struct bvp_command*)(uintptr_t)network->ring, network->ring_entries) ||
      network_run(network, &seq, &nobody) != network_ok) {
    sequencer_print_error(&seq);
    return exit_sequencer;
  }
  printf("it ran\n");
  return exit_check_failed;
}
