/* SPDX-License-Identifier: Apache-2.0 */
/* Uses CLINT, PLIC and a 16550 UART by their standard layouts and addresses alone, and nothing of this platform: the
 * ELF file that is linked to the DRAM prints the same on other machines that have them there (QEMU's RISC-V `virt`).
 * It echoes a line that it receives, and ends by semihosting. */
#include <stdbool.h>
#include <stdint.h>

#define CLINT 0x02000000ul
#define PLIC 0x0c000000ul
#define UART 0x10000000ul

enum { rbr = 0, thr = 0, dll = 0, ier = 1, dlm = 1, iir = 2, fcr = 2, lcr = 3, mcr = 4, lsr = 5, msr = 6, scr = 7 };
enum { uart_line = 10, lsr_ready = 0x01, lsr_empty = 0x20, ier_receive = 1, ier_transmit = 2 };
enum { cause_software = 3, cause_timer = 7, cause_external = 11 };

static volatile uint8_t* const uart = (volatile uint8_t*)UART;
static volatile uint32_t* const msip = (volatile uint32_t*)CLINT;
static volatile uint64_t* const mtimecmp = (volatile uint64_t*)(CLINT + 0x4000);
static volatile uint64_t* const mtime = (volatile uint64_t*)(CLINT + 0xbff8);
static volatile uint32_t* const plic_priority = (volatile uint32_t*)PLIC;
static volatile uint32_t* const plic_pending = (volatile uint32_t*)(PLIC + 0x1000);
static volatile uint32_t* const plic_enable = (volatile uint32_t*)(PLIC + 0x2000);
static volatile uint32_t* const plic_threshold = (volatile uint32_t*)(PLIC + 0x200000);
static volatile uint32_t* const plic_claim = (volatile uint32_t*)(PLIC + 0x200004);

#define CSR_WRITE(name, value) __asm__ volatile("csrw " #name ", %0" ::"r"((uint64_t)(value)) : "memory")
#define CSR_SET(name, value) __asm__ volatile("csrs " #name ", %0" ::"r"((uint64_t)(value)) : "memory")
#define CSR_CLEAR(name, value) __asm__ volatile("csrc " #name ", %0" ::"r"((uint64_t)(value)) : "memory")
#define CSR_READ(name)                                  \
  ({                                                    \
    uint64_t value_;                                    \
    __asm__ volatile("csrr %0, " #name : "=r"(value_)); \
    value_;                                             \
  })

static void put(char c) {
  while ((uart[lsr] & lsr_empty) == 0) {
  }
  uart[thr] = (uint8_t)c;
}

static void print(const char* text) {
  for (; *text != '\0'; ++text) put(*text);
}

static void print_number(const char* name, uint64_t value) {
  char digits[20];
  int count = 0;
  do {
    digits[count++] = (char)('0' + value % 10);
    value /= 10;
  } while (value != 0);
  print(name);
  print(": ");
  while (count != 0) put(digits[--count]);
  put('\n');
}

static volatile uint64_t last_cause, last_identification, last_claim, faults, traps;
static char line[80];
static volatile unsigned received;

static void on_external(void) {
  last_claim = *plic_claim;
  last_identification = uart[iir] & 0x0f;
  if (last_identification == 0x02) uart[ier] = 0; /* the transmitter: it was to interrupt once */
  while ((uart[lsr] & lsr_ready) != 0) {
    const char c = (char)uart[rbr];
    if (received < sizeof line) line[received] = c;
    ++received;
  }
  *plic_claim = (uint32_t)last_claim;
}

__attribute__((interrupt("machine"), aligned(4))) static void on_trap(void) {
  const uint64_t cause = CSR_READ(mcause);
  ++traps;
  if (cause >> 63 == 0) {
    /* The access of four bytes that was to fault. */
    ++faults;
    last_cause = cause;
    CSR_WRITE(mepc, CSR_READ(mepc) + 4);
    return;
  }
  last_cause = cause & 0xff;
  if (last_cause == cause_software) *msip = 0;
  if (last_cause == cause_timer) *mtimecmp = ~(uint64_t)0;
  if (last_cause == cause_external) on_external();
}

static void interrupts(bool on) {
  if (on)
    CSR_SET(mstatus, 8);
  else
    CSR_CLEAR(mstatus, 8);
}

/* Waits for the next trap, with interrupts held back between the check and the sleep. */
static void wait_for_trap(uint64_t before) {
  while (traps == before) {
    __asm__ volatile("wfi" ::: "memory");
    interrupts(true);
    interrupts(false);
  }
}

static void set_up_uart(void) {
  uart[ier] = 0;
  uart[lcr] = 0x80;
  uart[dll] = 3;
  uart[dlm] = 0;
  const uint8_t latched = uart[dll];
  uart[lcr] = 0x03;
  uart[fcr] = 0x07;
  print_number("divisor latch", latched);
  print_number("fifos", uart[iir] >> 6);
  uart[scr] = 0x5a;
  print_number("scratch", uart[scr]);
}

static void check_loop(void) {
  uart[mcr] = 0x10;
  uart[thr] = 'L';
  while ((uart[lsr] & lsr_ready) == 0) {
  }
  const uint8_t looped = uart[rbr];
  uart[mcr] = 0x1f;
  const uint8_t lines = uart[msr] >> 4;
  uart[mcr] = 0;
  print_number("looped", looped);
  print_number("looped modem lines", lines);
}

static void check_clint(void) {
  CSR_WRITE(mie, 8);
  uint64_t before = traps;
  *msip = 1;
  wait_for_trap(before);
  print_number("software interrupt", last_cause);
  CSR_WRITE(mie, 0x80);
  before = traps;
  const uint64_t when = *mtime + 1000;
  *mtimecmp = when;
  wait_for_trap(before);
  print_number("timer interrupt", last_cause);
  print_number("not before its time", *mtime >= when);
  CSR_WRITE(mie, 0);
}

static void check_plic(void) {
  for (unsigned i = 1; i < 32; ++i) plic_priority[i] = 0;
  plic_priority[uart_line] = 15;
  print_number("highest priority", plic_priority[uart_line]);
  plic_priority[uart_line] = 3;
  plic_enable[0] = 1u << uart_line;
  *plic_threshold = 3;
  uart[ier] = ier_transmit;
  while ((plic_pending[0] & 1u << uart_line) == 0) {
  }
  print_number("external pending at the threshold", CSR_READ(mip) >> 11 & 1);
  const uint64_t before = traps;
  CSR_WRITE(mie, 0x800);
  *plic_threshold = 2;
  uart[ier] = ier_transmit;
  wait_for_trap(before);
  print_number("external interrupt", last_cause);
  print_number("claimed", last_claim);
  print_number("identification", last_identification);
  print_number("pending behind it", plic_pending[0]);
}

static void check_receiver(void) {
  *plic_threshold = 0;
  uart[ier] = ier_receive;
  while (received == 0 || line[received - 1] != '\n') wait_for_trap(traps);
  uart[ier] = 0;
  CSR_WRITE(mie, 0);
  print("received: ");
  for (unsigned i = received - 1; i != 0; --i) put(line[i - 1]);
  put('\n');
}

static void check_protection(void) {
  static uint32_t guarded[2048] __attribute__((aligned(4096)));
  const uint64_t page = (uint64_t)(uintptr_t)guarded + 4096;
  guarded[1024] = 7;
  CSR_WRITE(pmpaddr0, page >> 2 | 0x1ff);
  CSR_WRITE(pmpcfg0, 0x99); /* locked, power of two, read only */
  __asm__ volatile(".option push\n.option norvc\nsw zero, 0(%0)\n.option pop" ::"r"(page) : "memory");
  print_number("fault of a store", last_cause);
  print_number("faults", faults);
  print_number("unchanged", *(volatile uint32_t*)page);
  guarded[1023] = 1;
  CSR_WRITE(pmpcfg0, 0);
  print_number("still locked", CSR_READ(pmpcfg0));
}

static void end(void) {
  static const uint64_t block[2] = {0x20026, 0};
  register uint64_t operation __asm__("a0") = 0x20;
  register const uint64_t* argument __asm__("a1") = block;
  __asm__ volatile(
      ".option push\n.option norvc\n.balign 16\nslli zero, zero, 31\nebreak\nsrai zero, zero, 7\n.option pop" ::"r"(
          operation),
      "r"(argument)
      : "memory");
}

__attribute__((used)) static void run(void) {
  CSR_WRITE(mtvec, (uintptr_t)on_trap);
  CSR_WRITE(mie, 0);
  set_up_uart();
  check_loop();
  check_clint();
  check_plic();
  check_receiver();
  check_protection();
  print_number("mconfigptr", CSR_READ(0xf15));
  print("standard devices: done\n");
  end();
}

__attribute__((naked, section(".text.start"))) void _start(void);
void _start(void) {
  __asm__ volatile(
      "csrw mie, zero\n"
      "csrci mstatus, 8\n"
      ".option push\n.option norelax\nla gp, __global_pointer$\n.option pop\n"
      "la sp, __stack_top\n"
      "la t0, __bss_start\nla t1, __bss_end\n"
      "1: bgeu t0, t1, 2f\nsd zero, 0(t0)\naddi t0, t0, 8\nj 1b\n"
      "2: call run\n"
      "3: j 3b\n");
}
