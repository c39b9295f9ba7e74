/* SPDX-License-Identifier: Apache-2.0 */
/* Control and status registers, and the instructions that go with them. */
#ifndef HAL_CSR_H
#define HAL_CSR_H

#include <stdint.h>

#define CSR_READ(name)                                      \
  ({                                                        \
    uint64_t csr_value_;                                    \
    __asm__ volatile("csrr %0, " #name : "=r"(csr_value_)); \
    csr_value_;                                             \
  })
#define CSR_WRITE(name, value) __asm__ volatile("csrw " #name ", %0" ::"r"((uint64_t)(value)) : "memory")
#define CSR_SET(name, bits) __asm__ volatile("csrs " #name ", %0" ::"r"((uint64_t)(bits)) : "memory")
#define CSR_CLEAR(name, bits) __asm__ volatile("csrc " #name ", %0" ::"r"((uint64_t)(bits)) : "memory")

#define MSTATUS_MIE 0x8u
#define MIE_MSIE 0x8u
#define MIE_MTIE 0x80u
#define MIE_MEIE 0x800u

/* Holds interrupts back; returns what interrupts_restore needs. */
static inline uint64_t interrupts_disable(void) {
  uint64_t old;
  __asm__ volatile("csrrc %0, mstatus, %1" : "=r"(old) : "r"((uint64_t)MSTATUS_MIE) : "memory");
  return old & MSTATUS_MIE;
}
static inline void interrupts_restore(uint64_t state) { CSR_SET(mstatus, state); }
static inline void interrupts_enable(void) { CSR_SET(mstatus, MSTATUS_MIE); }

/* Sleeps until an enabled interrupt is pending, also while interrupts are held back. */
static inline void wait_for_interrupt(void) { __asm__ volatile("wfi" ::: "memory"); }

/* Orders memory writes before the device writes that follow. */
static inline void memory_fence(void) { __asm__ volatile("fence iorw, iorw" ::: "memory"); }

static inline uint64_t cycle_count(void) { return CSR_READ(mcycle); }
static inline uint64_t instruction_count(void) { return CSR_READ(minstret); }

#endif
