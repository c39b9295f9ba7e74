/* SPDX-License-Identifier: Apache-2.0 */
/* The UART, a 16550; stdin, stdout and stderr go through it. */
#ifndef HAL_UART_H
#define HAL_UART_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/linkage.h"

HAL_BEGIN_DECLARATIONS

/* Sends a character, or adds it to the text that is held back. */
void uart_put(char c);

/* Text and decimal numbers, for a tenth of what printf costs. */
void uart_write(const char* text);
void uart_write_number(uint64_t number);

/* Holds text back from now on, so that printing costs no accesses to the UART while there is something better to do.
 * When the buffer is full, its oldest characters are sent first: no text is lost, and all of it stays in order. */
void uart_hold(void);
/* Sends some characters of the text that is held back. False: there are none. */
bool uart_send_held(void);
/* Sends all text that is held back; from now on text is sent at once. */
void uart_release(void);

/* The next character received, -1: none. */
int uart_get(void);
/* Whether the UART interrupts (line BVP_IRQ_UART) while characters wait for uart_get. */
void uart_receive_interrupt(bool on);

HAL_END_DECLARATIONS

#endif
