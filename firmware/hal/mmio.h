/* SPDX-License-Identifier: Apache-2.0 */
/* Access to device registers. */
#ifndef HAL_MMIO_H
#define HAL_MMIO_H

#include <stdint.h>

static inline uint32_t mmio_read32(uint64_t address) { return *(volatile uint32_t*)(uintptr_t)address; }
static inline void mmio_write32(uint64_t address, uint32_t value) { *(volatile uint32_t*)(uintptr_t)address = value; }
/* Registers that are pairs: the low word first. */
static inline uint64_t mmio_read_pair(uint64_t address) {
  const uint64_t low = mmio_read32(address);
  return (uint64_t)mmio_read32(address + 4) << 32 | low;
}

#endif
