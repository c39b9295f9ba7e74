/* SPDX-License-Identifier: Apache-2.0 */
/* An assertion that fails, behind a line that is not complete. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  printf("the line goes on");
  assert(rand() == -1);
  return 0;
}
