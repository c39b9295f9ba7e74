/* SPDX-License-Identifier: Apache-2.0 */
/* Stands for the firmware's header of this name: registers are reached through the test's sockets. */
#ifndef HAL_MMIO_H
#define HAL_MMIO_H

#include <stdint.h>

uint32_t mmio_read32(uint64_t address);
void mmio_write32(uint64_t address, uint32_t value);

#endif
