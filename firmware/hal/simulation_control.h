/* SPDX-License-Identifier: Apache-2.0 */
/* What only a simulated SoC has: an argument from outside, progress, the end of the run. */
#ifndef HAL_SIMULATION_CONTROL_H
#define HAL_SIMULATION_CONTROL_H

#include <stdint.h>

#include "hal/exit.h"

/* What the run was given; for the network application, the address of the network descriptor, 0: none. */
uint64_t simulation_argument(void);

/* Tells the simulator that a task is done. */
void simulation_progress(uint32_t task);

#endif
