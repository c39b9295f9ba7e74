/* SPDX-License-Identifier: Apache-2.0 */
#include "hal/simulation_control.h"

#include <stdio.h>

#include "bvp_hw.h"
#include "hal/csr.h"
#include "hal/mmio.h"
#include "hal/uart.h"

uint64_t simulation_argument(void) {
  return mmio_read_pair(BVP_SIMULATION_CONTROL_BASE + BVP_SIMULATION_CONTROL_ARGUMENT_LO);
}

void simulation_progress(uint32_t task) {
  mmio_write32(BVP_SIMULATION_CONTROL_BASE + BVP_SIMULATION_CONTROL_PROGRESS, task);
}

void simulation_region_begin(uint32_t region) {
  mmio_write32(BVP_SIMULATION_CONTROL_BASE + BVP_SIMULATION_CONTROL_REGION_BEGIN, region);
}

void simulation_region_end(uint32_t region) {
  mmio_write32(BVP_SIMULATION_CONTROL_BASE + BVP_SIMULATION_CONTROL_REGION_END, region);
}

void exit_simulation(int code) {
  uart_release();
  mmio_write32(BVP_SIMULATION_CONTROL_BASE + BVP_SIMULATION_CONTROL_EXIT, (uint32_t)code);
  interrupts_disable();
  for (;;) wait_for_interrupt();
}
