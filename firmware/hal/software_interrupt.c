/* SPDX-License-Identifier: Apache-2.0 */
#include "hal/software_interrupt.h"

#include <stddef.h>

#include "bvp_hw.h"
#include "hal/csr.h"
#include "hal/mmio.h"

static void (*software_handler)(void* context);
static void* software_context;

void software_interrupt_attach(void (*handler)(void* context), void* context) {
  CSR_CLEAR(mie, MIE_MSIE);
  software_handler = handler;
  software_context = context;
  CSR_SET(mie, MIE_MSIE);
}

void software_interrupt_raise(void) { mmio_write32(BVP_CLINT_BASE + BVP_CLINT_MSIP, BVP_CLINT_MSIP_PENDING_MASK); }

void software_interrupt_dispatch(void) {
  mmio_write32(BVP_CLINT_BASE + BVP_CLINT_MSIP, 0);
  if (software_handler != NULL) software_handler(software_context);
}
