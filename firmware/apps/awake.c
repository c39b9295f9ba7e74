/* SPDX-License-Identifier: Apache-2.0 */
/* As power.c, but the array stays on while the CPU waits. */
#define STAY_AWAKE
#include "apps/power.c"
