/* SPDX-License-Identifier: Apache-2.0 */
/* Marks more regions of interest than are recorded, each twice, and reports tasks that do not exist. */
#include <stdio.h>

#include "hal/exit.h"
#include "hal/simulation_control.h"

int main(void) {
  for (int round = 0; round < 2; ++round) {
    for (uint32_t i = 0; i < 3000; ++i) {
      simulation_region_begin(i * 2654435761u);
      simulation_region_end(i * 2654435761u);
    }
  }
  simulation_progress(0xffffffff);
  simulation_progress(1000);
  printf("without an end of line");
  return exit_done;
}
