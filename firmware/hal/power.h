/* SPDX-License-Identifier: Apache-2.0 */
/* Power states of the array. */
#ifndef HAL_POWER_H
#define HAL_POWER_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/linkage.h"

HAL_BEGIN_DECLARATIONS

enum array_power { array_on = 0, array_clock_off = 1, array_retention = 2 };

/* No kernel may run or be queued when the array leaves `array_on`; before the next one it must be ready again. */
void power_set_array(enum array_power state);
bool power_array_ready(void);

HAL_END_DECLARATIONS

#endif
