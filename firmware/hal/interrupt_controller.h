/* SPDX-License-Identifier: Apache-2.0 */
/* The interrupt controller of the devices, a PLIC. */
#ifndef HAL_INTERRUPT_CONTROLLER_H
#define HAL_INTERRUPT_CONTROLLER_H

#include <stdint.h>

#include "hal/linkage.h"

HAL_BEGIN_DECLARATIONS

typedef void (*interrupt_handler)(void* context);

/* Enables a line with the lowest priority and calls the handler from the trap vector while it is raised. */
void interrupt_controller_attach(uint32_t line, interrupt_handler handler, void* context);

/* For the trap vector. */
void interrupt_controller_dispatch(void);

HAL_END_DECLARATIONS

#endif
