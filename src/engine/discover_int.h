/*
 * discover_int.h - what looking and concluding share.
 */
#ifndef PGREKEY_DISCOVER_INT_H
#define PGREKEY_DISCOVER_INT_H

#include "crew_int.h"
#include "discover.h"
#include "inventory.h"
#include "recognise.h"

struct discovery {
	const struct discover_options *o;
	struct inventory inventory;
	const struct inventory_table **configured; /* per target, or NULL */
	struct pg *pg;
	struct recogniser *recogniser;
	/* Per table of the inventory NULL, or one per column: what was found
	 * in it and in what is below it. */
	struct discover_column **found;
	int64_t all_pages;
	struct stop stop;
	struct crew crew;
	int64_t started_ms;
	struct discover_outcome *ret;

	const struct inventory_table *table; /* being read */

	pthread_mutex_t mutex; /* for what follows */
	bool open;             /* pg may be cancelled */
	const char *shown;     /* its name */
	int64_t pages, values;

	int rc; /* of the thread that reads */
	struct err err;
};

/* -- discover_read.c ------------------------------------------------------- */

bool discover_is_asked_for(
	const struct discovery *d, const struct inventory_table *t);
/* Is the column part of a configured section, here or above? */
bool discover_is_configured(const struct discovery *d,
	const struct inventory_table *t, const char *column);

void *discover_main(void *ctx); /* the thread that reads */

/* -- discover_plan.c ------------------------------------------------------- */

/* Makes the tables of the outcome of what was found, with their sections. */
int discover_plan(struct discovery *d, struct err *err) MUST_CHECK;

#endif
