/* SPDX-License-Identifier: Apache-2.0 */
/* Stands for the firmware's header of this name. */
#ifndef HAL_TRAP_H
#define HAL_TRAP_H

void sleep_until_interrupt(void);

#endif
