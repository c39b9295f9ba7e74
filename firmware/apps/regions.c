/* SPDX-License-Identifier: Apache-2.0 */
/* Marks regions of interest: one that is entered three times, one within it, one that never ends. */
#include <stdint.h>

#include "hal/simulation_control.h"

static void spin(uint32_t rounds) {
  for (volatile uint32_t i = 0; i < rounds; ++i) {
  }
}

int main(void) {
  simulation_region_end(9); /* has not begun */
  for (uint32_t round = 0; round < 3; ++round) {
    simulation_region_begin(1);
    spin(1000);
    simulation_region_begin(2);
    simulation_region_begin(2); /* has begun already */
    spin(100);
    simulation_region_end(2);
    simulation_region_end(1);
    spin(5000);
  }
  simulation_region_begin(0xffffffff);
  spin(10);
  return 0;
}
