/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime for networks in which gathers choose. */
#define RUNTIME_CHOOSES 1
#include "runtime/network.c"
