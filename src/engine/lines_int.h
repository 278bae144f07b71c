/*
 * lines_int.h - a text whose lines have ranks, cut to what a terminal can show.
 * Pure.
 */
#ifndef PGREKEY_LINES_INT_H
#define PGREKEY_LINES_INT_H

#include "report.h"

struct lines_part;

struct lines {
	struct buf text; /* append here, then lines_end() */
	struct lines_part *part;
	size_t count;
};

void lines_init(struct lines *ret);
void lines_done(struct lines *l);
/* What was appended since the last call is a line of that rank, of which 0
 * matters most. */
void lines_end(struct lines *l, int rank);
/* Appends all, in order, or what fits above the line of the cursor and a last
 * line about those that are left out. The first one is always there. */
void lines_fit(struct buf *ret, const struct lines *l,
	const struct report_screen *screen);

#endif
