/* The part in C++. */
#ifndef COUNTER_H
#define COUNTER_H

#ifdef __cplusplus
extern "C" {
#endif

void count(void);
int counts(void);

#ifdef __cplusplus
}
#endif

#endif
