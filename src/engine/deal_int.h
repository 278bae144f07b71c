/*
 * deal_int.h - deals the rows of a group of windows out to batches.
 *
 * Turn by turn: in each turn every window in order gives some rows of each of
 * its pages. The next turn prunes what the one before it left dead, and its
 * new versions take that room, so only the first turn makes the table grow.
 * For that no turn may write more rows to a page than the one before it.
 */
#ifndef PGREKEY_DEAL_INT_H
#define PGREKEY_DEAL_INT_H

#include "rows.h"

/* Windows that a worker keeps in rotation. With fewer, the snapshots of other
 * workers stop the pruning that lets the next turn reuse the space of the
 * last: one that waits for a core lives as long as several batches. */
#define ROTATION 8
/* Turns of a window whose pages are full of rows. Each turn costs the server
 * a look at every row of the window; the first one makes the table grow by its
 * share. */
#define TURNS_MIN 7
#define TURNS_MAX 11

struct deal {
	const struct window *window;
	size_t windows;
	size_t turns[ROTATION]; /* of each window, which has rows */
	size_t share[ROTATION]; /* rows that each gives in a turn, about */
	size_t most;            /* turns of any */
	size_t turn, at;        /* the share that is dealt: of which window */
	size_t row;             /* the next to be looked at */
	size_t rank;            /* its number within its page */
};

void deal_begin(struct deal *d, const struct window *window, size_t windows);
/* The next row of this share; false behind its last one. */
bool deal_row(struct deal *d, size_t *row);
/* How many rows of this share are to go together if most is the limit: no
 * batch is a small rest. */
size_t deal_limit(const struct deal *d, size_t most);
/* On to the next share; false behind the last one. */
bool deal_share(struct deal *d);

#endif
