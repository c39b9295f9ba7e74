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

static void send(char c) { mmio_write32(BVP_UART_BASE + BVP_UART_TXDATA, (uint8_t)c); }

void uart_put(char c) {
  if (!held.active) {
    send(c);
    return;
  }
  if (held.end - held.first == held_size) uart_send_held();
  held_text[held.end++ % held_size] = c;
}

void uart_write(const char* text) {
  for (; *text != '\0'; ++text) uart_put(*text);
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
  while (uart_send_held()) {
  }
  held.active = false;
}

int uart_get(void) {
  if ((mmio_read32(BVP_UART_BASE + BVP_UART_STATUS) & BVP_UART_STATUS_RX_READY_MASK) == 0) return -1;
  return (int)(mmio_read32(BVP_UART_BASE + BVP_UART_RXDATA) & 0xff);
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
