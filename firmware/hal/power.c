/* SPDX-License-Identifier: Apache-2.0 */
#include "hal/power.h"

#include "bvp_hw.h"
#include "hal/mmio.h"

void power_set_array(enum array_power state) {
  mmio_write32(BVP_POWER_CONTROLLER_BASE + BVP_POWER_CONTROLLER_ARRAY_STATE, (uint32_t)state);
}

bool power_array_ready(void) { return (mmio_read32(BVP_POWER_CONTROLLER_BASE + BVP_POWER_CONTROLLER_STATUS) & 1) != 0; }
