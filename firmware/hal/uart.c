/* SPDX-License-Identifier: Apache-2.0 */
#include "hal/uart.h"

#include <stdio.h>

#include "bvp_hw.h"
#include "hal/mmio.h"

enum { held_size = 4096 }; /* a power of two */

static char held_text[held_size] __attribute__((section(".noinit")));
static struct {
  uint32_t first, end; /* modulo 2^32; the text lies between them */
  bool active;
} held;

static uint8_t read_register(uint32_t offset) { return mmio_read8(BVP_UART_BASE + offset); }
static void write_register(uint32_t offset, uint32_t value) { mmio_write8(BVP_UART_BASE + offset, (uint8_t)value); }

static bool line_status(uint32_t mask) { return (read_register(BVP_UART_LSR) & mask) != 0; }

/* Characters of 8 bits, and FIFOs of 16 characters. The divisor latch is left alone: the model sends at once. */
static void set_up(void) {
  enum { eight_bits = 3 };
  static bool done;
  if (done) return;
  done = true;
  write_register(BVP_UART_LCR, eight_bits);
  write_register(BVP_UART_FCR, BVP_UART_FCR_ENABLE_MASK);
}

/* Characters that the transmitter's FIFO takes for certain. */
static uint32_t room;

/* What is seldom needed is apart, so that the functions that send or hold a character save no registers. */
#define SELDOM __attribute__((noinline, cold))

SELDOM static void await_room(void) {
  enum { fifo_depth = 16 };
  set_up();
  while (!line_status(BVP_UART_LSR_THRE_MASK)) {
  }
  room = fifo_depth;
}

static inline void send_into_room(char c) {
  --room;
  write_register(BVP_UART_THR, (uint8_t)c);
}

SELDOM static void send_when_empty(char c) {
  await_room();
  send_into_room(c);
}

static inline void send(char c) {
  if (room == 0)
    send_when_empty(c);
  else
    send_into_room(c);
}

static void send_text(const char* text, uint32_t count) {
  while (count != 0) {
    if (room == 0) await_room();
    const char* const end = text + (count < room ? count : room);
    room -= (uint32_t)(end - text);
    count -= (uint32_t)(end - text);
    for (; text != end; ++text) write_register(BVP_UART_THR, (uint8_t)*text);
  }
}

static inline void hold_in_place(char c) { held_text[held.end++ % held_size] = c; }

SELDOM static void hold_when_full(char c) {
  uart_send_held();
  hold_in_place(c);
}

static inline void hold(char c) {
  if (held.end - held.first == held_size)
    hold_when_full(c);
  else
    hold_in_place(c);
}

void uart_put(char c) {
  if (held.active)
    hold(c);
  else
    send(c);
}

void uart_write(const char* text) {
  if (!held.active) {
    const char* end = text;
    while (*end != '\0') ++end;
    send_text(text, (uint32_t)(end - text));
    return;
  }
  for (; *text != '\0'; ++text) hold(*text);
}

void uart_write_number(uint64_t number) {
  char digits[21];
  char* first = digits + sizeof digits - 1;
  *first = '\0';
  do {
    *--first = (char)('0' + number % 10);
    number /= 10;
  } while (number != 0);
  uart_write(first);
}

void uart_hold(void) { held.active = true; }

bool uart_send_held(void) {
  if (held.first == held.end) return false;
  send(held_text[held.first++ % held_size]);
  return true;
}

void uart_release(void) {
  while (held.first != held.end) {
    const uint32_t begin = held.first % held_size, count = held.end - held.first;
    const uint32_t straight = count < held_size - begin ? count : held_size - begin;
    send_text(held_text + begin, straight);
    held.first += straight;
  }
  held.active = false;
}

int uart_get(void) {
  set_up();
  return line_status(BVP_UART_LSR_DR_MASK) ? read_register(BVP_UART_RBR) : -1;
}

void uart_receive_interrupt(bool on) {
  set_up();
  write_register(BVP_UART_IER, on ? BVP_UART_IER_ERBFI_MASK : 0);
}

static int stream_put(char c, FILE* stream) {
  (void)stream;
  uart_put(c);
  return (unsigned char)c;
}

static int stream_get(FILE* stream) {
  (void)stream;
  const int c = uart_get();
  return c < 0 ? _FDEV_EOF : c;
}

static FILE uart_stream = FDEV_SETUP_STREAM(stream_put, stream_get, NULL, _FDEV_SETUP_RW);
FILE* const stdin = &uart_stream;
FILE* const stdout = &uart_stream;
FILE* const stderr = &uart_stream;
