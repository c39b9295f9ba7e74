/* SPDX-License-Identifier: Apache-2.0 */
#include "hal/interrupt_controller.h"

#include <stddef.h>

#include "bvp_hw.h"
#include "hal/csr.h"
#include "hal/mmio.h"

enum { line_count = BVP_PLIC_PRIORITY_COUNT, lowest_priority = 1 };

static struct {
  interrupt_handler handler;
  void* context;
} lines[line_count];

void interrupt_controller_attach(uint32_t line, interrupt_handler handler, void* context) {
  if (line >= line_count) return;
  const uint64_t state = interrupts_disable();
  lines[line].context = context;
  lines[line].handler = handler;
  mmio_write32(BVP_PLIC_BASE + BVP_PLIC_PRIORITY(line), lowest_priority);
  const uint64_t enable = BVP_PLIC_BASE + BVP_PLIC_ENABLE;
  mmio_write32(enable, mmio_read32(enable) | UINT32_C(1) << line);
  CSR_SET(mie, MIE_MEIE);
  interrupts_restore(state);
}

void interrupt_controller_dispatch(void) {
  const uint64_t claim = BVP_PLIC_BASE + BVP_PLIC_CLAIM;
  for (uint32_t line; (line = mmio_read32(claim)) != 0;) {
    if (line < line_count && lines[line].handler != NULL) lines[line].handler(lines[line].context);
    mmio_write32(claim, line);
  }
}
