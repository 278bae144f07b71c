/*
 * job.h - what every command that works on the configured tables is told.
 *
 * A view: everything it points to belongs to the caller and outlives it.
 */
#ifndef PGREKEY_JOB_H
#define PGREKEY_JOB_H

#include "catalog.h"
#include "pg.h"
#include "stop.h"

struct job {
	struct pg_options connection;
	const struct keyring *ring;  /* NULL: none is needed */
	const struct target *target; /* all that are configured */
	size_t targets;
	const bool *selected; /* per target, or NULL: all */
	enum seal_method method;
	const char *state_schema; /* unquoted */
	int64_t max_findings;     /* listed by row; all are counted */
	int64_t wait_ms;          /* for writers that began before a proof */
	int64_t max_runtime_ms;   /* 0: no limit */
	bool quiet;               /* no progress, no log lines but warnings */
	const char *version;
};

bool job_selects(const struct job *job, size_t target);
/* Before the leaves are listed: says who has locked a table, so that we wait.
 */
int job_tell_locked(
	const struct job *job, struct pg *pg, struct err *err) MUST_CHECK;
/* Refuses tables without partitions: there not even the column's name was
 * checked. */
int job_check_leaves(const struct job *job, const struct catalog *catalog,
	struct err *err) MUST_CHECK;
bool job_is_partial(const struct job *job); /* some targets are left out */
/* The state schema as SQL; free with free(). */
char *job_quoted_schema(const struct job *job);
/* The key id that envelopes should be labelled with; NULL: plaintext. */
const char *job_current_key(const struct job *job);

/* The connection of the beginning: waits a while when the server says that it
 * will have one later, and warns of a pooler. */
int job_connect(struct pg **ret, const struct job *job, struct stop *stop,
	struct err *err) MUST_CHECK;
/* And when it was lost: waits, whatever the reason, since there was one. */
int job_reconnect(struct pg **ret, const struct job *job, struct stop *stop,
	struct err *err) MUST_CHECK;
/* How long to sleep after an attempt, from 1. */
long job_backoff_ms(int attempt);

/* Attempts to reach the server that failed, one after the other; {0} is none
 * yet. */
struct job_attempts {
	int count;            /* of the kind that the last one was of */
	int starting, others; /* the kinds */
	int64_t since_ms;     /* of clock_ms(): the first one of starting */
};

/* One more has failed, and err says why. Is it worth another one? Eight are,
 * with half a minute to a whole one between them all; where the server says
 * that it is starting up or shutting down, as many as two minutes allow, and
 * these are none of the eight. */
bool job_tries_again(struct job_attempts *a, const struct err *err);

#endif
