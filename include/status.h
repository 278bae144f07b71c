/*
 * status.h - how far runs are, who works on them, and the pause switch.
 *
 * Needs the database alone: neither keys nor tables. Looking changes nothing.
 */
#ifndef PGREKEY_STATUS_H
#define PGREKEY_STATUS_H

#include "job.h"
#include "runs.h"

struct status_options {
	struct job job;
	int64_t run; /* 0: those that are open, else the newest */
	bool all;    /* the audit trail: all runs, without their tables */
	bool watch;  /* again and again until they have ended */
};

/* Values rewritten per second. */
struct run_rate {
	double per_second;
	double seconds; /* that it was measured over */
	bool sampled;   /* between two looks; false: since the run began */
};

struct status_outcome {
	struct runs runs;
	struct run_rate *rate; /* one per run */
};

/* running, paused, interrupted (open, but nobody works on it), complete,
 * findings, superseded. */
const char *status_word(const struct runs *runs, const struct run_facts *run);
size_t status_living(const struct runs *runs, const struct run_facts *run);
/* Of the pass under way or done last. */
double status_percent(const struct table_facts *table);

/* Called with each look; false ends it. */
typedef bool (*status_fn)(void *ctx, const struct status_outcome *outcome);

/* Returns the exit status ERR_NONE, or -1 with err filled. */
int status_run(const struct status_options *o, status_fn show, void *ctx,
	struct err *err);

/* Pauses this run or, if it is 0, all that are open, or lets them go on.
 * ERR_USAGE when there is none. */
int status_switch_pause(const struct job *job, int64_t run, bool pause,
	run_pause_fn fn, void *ctx, struct err *err);

#endif
