/* SPDX-License-Identifier: Apache-2.0 */
/* The simulation control, which only a simulated SoC has: an argument from outside, progress, the end of the run. */
#ifndef HAL_SIMULATION_CONTROL_H
#define HAL_SIMULATION_CONTROL_H

#include <stdint.h>

#include "hal/exit.h"
#include "hal/linkage.h"

HAL_BEGIN_DECLARATIONS

/* What the run was given; for the network application, the address of the network descriptor, 0: none. */
uint64_t simulation_argument(void);

/* Between the two a region of interest: the run's summary has its cycles, instructions, traffic and energy, summed over
 * the times it was entered. Regions may overlap. */
void simulation_region_begin(uint32_t region);
void simulation_region_end(uint32_t region);

/* Tells the simulator that a task is done. */
void simulation_progress(uint32_t task);

HAL_END_DECLARATIONS

#endif
