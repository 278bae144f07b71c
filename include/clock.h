/*
 * clock.h - time that only goes forward, and sleep. Any thread.
 */
#ifndef PGREKEY_CLOCK_H
#define PGREKEY_CLOCK_H

#include <stdint.h>

/* Monotonic, of no particular beginning. */
int64_t clock_ms(void);
int64_t clock_us(void);
void clock_sleep_ms(int64_t ms);

#endif
