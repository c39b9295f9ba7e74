/* SPDX-License-Identifier: Apache-2.0 */
/* The software interrupt, a part of the CLINT: firmware interrupts itself. */
#ifndef HAL_SOFTWARE_INTERRUPT_H
#define HAL_SOFTWARE_INTERRUPT_H

#include "hal/linkage.h"

HAL_BEGIN_DECLARATIONS

/* Enables the interrupt, and calls the handler from the trap vector once for each time that it is raised. */
void software_interrupt_attach(void (*handler)(void* context), void* context);
void software_interrupt_raise(void);

/* For the trap vector. */
void software_interrupt_dispatch(void);

HAL_END_DECLARATIONS

#endif
