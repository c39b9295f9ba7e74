/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the network and prints nothing: what the run takes longer with `network` is the text's. */
#include <stddef.h>

#include "driver/sequencer.h"
#include "hal/exit.h"
#include "hal/simulation_control.h"
#include "runtime/network.h"

int main(void) {
  static struct sequencer seq;
  const struct bvp_network_header* network = (const struct bvp_network_header*)simulation_argument();
  const struct network_observer nobody = {NULL, NULL, NULL, NULL};
  if (network == NULL) return exit_bad_network;
  if (!sequencer_init(&seq, (struct bvp_command*)(uintptr_t)network->ring, network->ring_entries))
    return exit_sequencer;
  const enum network_result result = network_run(network, &seq, &nobody);
  if (result == network_ok) return exit_done;
  return result == network_sequencer_error ? exit_sequencer : exit_bad_network;
}
