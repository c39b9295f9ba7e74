/* SPDX-License-Identifier: Apache-2.0 */
/* Entry and trap vector. */

  .section .text.start, "ax"
  .global _start
_start:
  csrci mstatus, 8
  csrw mie, zero
  .option push
  .option norelax
  la gp, __global_pointer$
  .option pop
  la sp, __stack_top
  la tp, __tls_base
  la t0, trap_vector
  csrw mtvec, t0

  la t0, __bss_start
  la t1, __bss_end
1:
  bgeu t0, t1, 2f
  sd zero, 0(t0)
  addi t0, t0, 8
  j 1b
2:
  la s0, __init_array_start
  la s1, __init_array_end
3:
  bgeu s0, s1, 4f
  ld t0, 0(s0)
  jalr t0
  addi s0, s0, 8
  j 3b
4:
  csrsi mstatus, 8
  call main
  tail exit

  /* Entry of interrupts and exceptions: saves the registers that a C function may change, and continues where
     trap_dispatch says. If sp lies in the megabyte below the stack, or too near to its end for the registers, there is
     nowhere to save them. */
  .section .text.trap, "ax"
  .balign 4
  .global trap_vector
trap_vector:
  csrw mscratch, t0
  la t0, __stack_overflow_start
  sub t0, sp, t0
  srli t0, t0, 20
  beqz t0, overflow
  csrr t0, mscratch
  addi sp, sp, -128
  sd ra, 0(sp)
  sd t0, 8(sp)
  sd t1, 16(sp)
  sd t2, 24(sp)
  sd a0, 32(sp)
  sd a1, 40(sp)
  sd a2, 48(sp)
  sd a3, 56(sp)
  sd a4, 64(sp)
  sd a5, 72(sp)
  sd a6, 80(sp)
  sd a7, 88(sp)
  sd t3, 96(sp)
  sd t4, 104(sp)
  sd t5, 112(sp)
  sd t6, 120(sp)
  csrr a0, mcause
  csrr a1, mepc
  csrr a2, mtval
  call trap_dispatch
  csrw mepc, a0
  ld ra, 0(sp)
  ld t0, 8(sp)
  ld t1, 16(sp)
  ld t2, 24(sp)
  ld a0, 32(sp)
  ld a1, 40(sp)
  ld a2, 48(sp)
  ld a3, 56(sp)
  ld a4, 64(sp)
  ld a5, 72(sp)
  ld a6, 80(sp)
  ld a7, 88(sp)
  ld t3, 96(sp)
  ld t4, 104(sp)
  ld t5, 112(sp)
  ld t6, 120(sp)
  addi sp, sp, 128
  mret

overflow:
  mv a2, sp
  la sp, overflow_stack_top
  csrr a0, mcause
  csrr a1, mepc
  call stack_overflow

  .section .noinit.overflow_stack, "aw", @nobits
  .balign 16
  .skip 4096
overflow_stack_top:
