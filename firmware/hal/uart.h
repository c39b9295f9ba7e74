/* SPDX-License-Identifier: Apache-2.0 */
/* The UART; stdin, stdout and stderr go through it. */
#ifndef HAL_UART_H
#define HAL_UART_H

#include <stdbool.h>

/* Sends a character, or adds it to the text that is held back. */
void uart_put(char c);

/* Holds text back from now on, so that printing costs no accesses to the UART while there is something better to do.
 * When the buffer is full, its oldest character is sent for each that comes: no text is lost, and all of it stays in
 * order. */
void uart_hold(void);
/* Sends one character of the text that is held back. False: there is none. */
bool uart_send_held(void);
/* Sends all text that is held back; from now on text is sent at once. */
void uart_release(void);

/* The next character received, -1: none. */
int uart_get(void);

#endif
