/*
 * rotate.h - the job: every value of every table, sealed under the primary.
 *
 * rotate_run() is the whole engine behind one call. It starts the workers,
 * shows progress on stderr, and returns when the run is complete, stopped, or
 * failed. What happened is in the outcome; nothing is printed on stdout.
 */
#ifndef PGREKEY_ROTATE_H
#define PGREKEY_ROTATE_H

#include "pg.h"
#include "rows.h"
#include "state.h"
#include "tally.h"

struct rotate_options {
	struct pg_options connection;
	const struct keyring *ring;
	const struct target *target; /* all that are configured */
	size_t targets;
	const bool *selected; /* per target, or NULL: all */
	enum seal_method method;
	const char *state_schema; /* unquoted */
	int64_t workers;
	int64_t batch_rows;
	int64_t window_bytes;
	int64_t chunk_bytes;
	int64_t lock_timeout_ms;
	int64_t max_passes;
	int64_t max_findings;
	int64_t wait_ms;        /* for the fence of the proof */
	int64_t max_runtime_ms; /* 0: no limit */
	bool thorough;          /* open values that are labelled current too */
	bool no_join;
	bool dry_run;
	bool quiet; /* no progress, no log lines but warnings */
	const char *version;
};

/* What a report says. Owned by the caller; rotate_outcome_done(). */
struct rotate_outcome {
	int64_t run; /* 0: none (dry run) */
	bool joined;
	bool complete;              /* the proof was made */
	uint64_t started, finished; /* seconds since 1970 */
	double seconds;
	/* tally[target][column] */
	struct tally_column **tally;
	struct finding *finding; /* whose texts are its own */
	size_t findings;         /* listed */
	int64_t total_findings;
	char note[512]; /* what stands in the way, or "" */
};

/* Returns the exit status (ERR_NONE, ERR_FINDINGS, ERR_STOPPED,
 * ERR_INCONCLUSIVE), or -1 with err filled; ret is valid in either case. */
int rotate_run(struct rotate_outcome *ret, const struct rotate_options *o,
	struct err *err);
void rotate_outcome_done(
	struct rotate_outcome *ret, const struct rotate_options *o);

/* Appends the SQL that makes the state schema, and the GRANTs that the
 * connecting role needs, for it and for the tables. */
int rotate_init_sql(struct buf *ret, const struct rotate_options *o,
	struct err *err) MUST_CHECK;
/* Creates the state schema. */
int rotate_init(const struct rotate_options *o, struct err *err) MUST_CHECK;

#endif
