/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime for networks that stand in for another one when rows of PEs are left out. Gathers may choose in them, and
 * commands may have check words. */
#define RUNTIME_CHOOSES 1
#define RUNTIME_CHECKS 1
#define RUNTIME_SPARE 1
#include "runtime/network.c"
