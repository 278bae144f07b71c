/*
 * nearest_int.h - "did you mean": the known word nearest to a mistyped one.
 */
#ifndef PGREKEY_NEAREST_INT_H
#define PGREKEY_NEAREST_INT_H

#include <stddef.h>

struct nearest {
	const char *word; /* what was written */
	const char *best; /* NULL: nothing is near enough */
	size_t distance;  /* of best */
};

void nearest_init(struct nearest *n, const char *word);
void nearest_offer(struct nearest *n, const char *candidate);

#endif
