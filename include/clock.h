/*
 * clock.h - time that only goes forward, and sleep. Any thread.
 */
#ifndef PGREKEY_CLOCK_H
#define PGREKEY_CLOCK_H

#include <stdint.h>

int64_t clock_ms(void); /* monotonic, of no particular beginning */
void clock_sleep_ms(int64_t ms);

#endif
