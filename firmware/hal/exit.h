/* SPDX-License-Identifier: Apache-2.0 */
/* The codes with which firmware ends a run. */
#ifndef HAL_EXIT_H
#define HAL_EXIT_H

#include "hal/linkage.h"

enum exit_code {
  exit_done = 0,
  exit_check_failed = 1, /* a result is not what it should be */
  exit_bad_network = 2,  /* the network descriptor is wrong */
  exit_trap = 3,         /* an exception that nobody handled */
  exit_sequencer = 4,    /* the sequencer stopped with an error */
  exit_aborted = 5       /* abort() was called, or an assertion failed */
};

HAL_BEGIN_DECLARATIONS

/* Ends the simulation with a code, at once: what atexit() and destructors would do is left out, which exit() does. */
HAL_NO_RETURN void exit_simulation(int code);

HAL_END_DECLARATIONS

#endif
