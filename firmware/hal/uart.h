/* SPDX-License-Identifier: Apache-2.0 */
/* The UART; stdin, stdout and stderr go through it. */
#ifndef HAL_UART_H
#define HAL_UART_H

void uart_put(char c);
/* The next character received, -1: none. */
int uart_get(void);

#endif
