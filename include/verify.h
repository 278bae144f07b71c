/*
 * verify.h - is everything sealed by the primary? May a key be deleted?
 *
 * Opens every value of every selected column, strictly read-only, under one
 * snapshot over everything. Anything less can be falsely clean and is never a
 * proof: it ends with ERR_INCONCLUSIVE at best.
 */
#ifndef PGREKEY_VERIFY_H
#define PGREKEY_VERIFY_H

#include "discover.h"
#include "outcome.h"

#define VERIFY_RETIRE_MAX 32 /* keys asked about at once */

struct verify_options {
	struct job job;
	int64_t workers;
	bool snapshot_range;  /* a snapshot per block range: no proof */
	bool quick;           /* only count labels, on the server: no proof */
	double sample;        /* percent of the pages: no proof; 0: all */
	const size_t *retire; /* may these keys of the ring go? */
	size_t retires;       /* at most VERIFY_RETIRE_MAX */
};

struct verify_outcome {
	struct outcome facts;
	int64_t retired[VERIFY_RETIRE_MAX]; /* values that need the key */
	int64_t unread;    /* values that may be under any key */
	bool standby;      /* what it has replayed, not what the primary has */
	char writers[256]; /* had written before and have not ended, or "" */
	/* What the reports say of other columns, or NULL: nobody looked. The
	 * caller's. */
	const struct discover_outcome *discovered;
};

/* Returns the exit status (ERR_NONE, ERR_FINDINGS, ERR_STOPPED,
 * ERR_INCONCLUSIVE), or -1 with err filled; ret is valid in either case and
 * given to outcome_done(&ret->facts, &o->job). */
int verify_run(struct verify_outcome *ret, const struct verify_options *o,
	struct err *err);

#endif
