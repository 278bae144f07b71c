/*
 * rotate.h - the job: every value of every table, sealed under the primary.
 *
 * rotate_run() is the whole engine behind one call. It starts the workers,
 * shows progress on stderr, and returns when the run is complete, stopped, or
 * failed. What happened is in the outcome; nothing is printed on stdout.
 */
#ifndef PGREKEY_ROTATE_H
#define PGREKEY_ROTATE_H

#include "outcome.h"
#include "pressure.h"

struct rotate_options {
	struct job job;
	int64_t workers;
	int64_t batch_rows;
	int64_t window_bytes;
	int64_t chunk_bytes;
	int64_t lock_timeout_ms;
	int64_t answer_timeout_ms; /* 0: wait for the server without limit */
	int64_t max_passes;
	int64_t max_rows_per_second; /* of all hosts that have the same number;
					0: no limit */
	struct pressure_limits limits;
	bool suppress_triggers; /* session_replication_role = replica */
	bool thorough;          /* open values that are labelled current too */
	bool no_join;
	bool dry_run;
};

/* Returns the exit status (ERR_NONE, ERR_FINDINGS, ERR_STOPPED,
 * ERR_INCONCLUSIVE), or -1 with err filled; ret is valid in either case. */
int rotate_run(
	struct outcome *ret, const struct rotate_options *o, struct err *err);
/* Appends the SQL that makes the state schema, and the GRANTs that the
 * connecting role needs, for it and for the tables. */
int rotate_init_sql(struct buf *ret, const struct rotate_options *o,
	struct err *err) MUST_CHECK;
/* Creates the state schema. */
int rotate_init(const struct rotate_options *o, struct err *err) MUST_CHECK;

#endif
