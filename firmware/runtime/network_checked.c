/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime for networks whose commands have check words. Gathers may choose in them. */
#define RUNTIME_CHOOSES 1
#define RUNTIME_CHECKS 1
#include "runtime/network.c"
