/* A program for the virtual platform: replace it by yours. */
#include <stdio.h>

#include "counter.h"
#include "hal/csr.h"
#include "hal/exit.h"
#include "hal/timer.h"

int main(void) {
  const uint64_t begin = cycle_count();
  for (int i = 0; i < 3; ++i) {
    timer_sleep_us(10);
    count();
  }
  printf("%d counts in %.2f microseconds\n", counts(),
         (double)(cycle_count() - begin) * 1e6 / (double)BVP_DEFAULT_CPU_CLOCK_HZ);
  return counts() == 3 ? exit_done : exit_check_failed;
}
