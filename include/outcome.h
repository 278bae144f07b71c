/*
 * outcome.h - what a command found and did: the facts of a report.
 *
 * Owned by the caller; outcome_done() with the job that it was made for.
 */
#ifndef PGREKEY_OUTCOME_H
#define PGREKEY_OUTCOME_H

#include "job.h"
#include "state.h"
#include "tally.h"

struct outcome {
	int64_t run; /* of rotate; 0: none */
	bool joined;
	bool schema_denied; /* a privilege for the state schema is missing */
	bool complete;      /* the proof was made */
	bool thorough;      /* and opened every value */
	uint64_t started, finished; /* seconds since 1970 */
	double seconds;
	struct tally_column **tally; /* [target][column] */
	struct finding *finding;     /* whose texts are its own */
	size_t findings;             /* listed */
	int64_t total_findings;
	char note[512]; /* what stands in the way, or "" */
};

void outcome_init(struct outcome *ret, const struct job *job);
void outcome_done(struct outcome *ret, const struct job *job);
/* Forgets what was counted and found, and how it ended. */
void outcome_clear(struct outcome *ret, const struct job *job);
/* Frees the texts of a finding that owns them. */
void finding_done(struct finding *f);
/* Copies the finding; its verdict is static text. */
void outcome_add_finding(struct outcome *ret, const struct finding *f);
/* Adds what the tallies count as findings to the total, and, left_too, what is
 * still to be rewritten. */
void outcome_count(struct outcome *ret, const struct job *job, bool left_too);
/* Notes why it stopped early; returns ERR_STOPPED. */
int outcome_stopped(struct outcome *ret, const char *why);
/* The time it took, by a monotonic clock reading of its start. */
void outcome_finish(struct outcome *ret, int64_t started_ms);

#endif
