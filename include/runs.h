/*
 * runs.h - what can be seen of runs from outside, by reading alone.
 *
 * SELECT on the tables of the state schema is enough. Times are milliseconds
 * since 1970 by the database's clock; 0: not yet. No secret is in any of it.
 */
#ifndef PGREKEY_RUNS_H
#define PGREKEY_RUNS_H

#include "state.h"

/* Views into a struct runs. */
struct run_facts {
	int64_t id;
	const char *state; /* open, complete, findings, superseded */
	const char *primary, *fingerprint;
	const char *method;
	const char
		*from; /* JSON object: id and fingerprint of the other keys */
	const char *from_text; /* the same for people */
	const char *role, *os_user, *host, *program;
	int64_t started_ms, finished_ms, now_ms;
	int exit; /* -1: none yet */
	const char *paused_by;
	int64_t paused_ms;
	const char *why; /* paused, or why it waits, or "" */
	int64_t rewritten, moved, conflict, deferred, findings;
};

struct table_facts {
	int64_t run;
	const char *label;
	const char *name;  /* of the leaf */
	const char *state; /* dirty, walking, settled, exhausted, gone */
	int64_t pass;
	int64_t blocks, done; /* of this pass */
	int64_t rewritten, moved, conflict, deferred;
};

struct worker_facts {
	int64_t run;
	const char *role, *os_user, *host;
	int64_t os_pid, backend_pid;
	int64_t started_ms, seen_ms; /* its last sign of life */
	bool alive;
	const char *table; /* that it walks, or "" */
	bool proves;
};

struct runs {
	struct pg_result *rows[3];
	struct run_facts *run; /* newest first */
	struct table_facts *table;
	struct worker_facts *worker; /* of open runs; living ones first */
	size_t runs, tables, workers;
};

struct runs_filter {
	bool all;        /* all there ever were, without their tables */
	int64_t run;     /* else this one, if not 0 */
	const char *ids; /* else these, {1,2}, if not NULL */
	/* else those that are open, or the newest one when none is */
};

/* In one snapshot. ret is to be given to runs_done() whatever the result. */
int runs_load(struct runs *ret, struct state *s, const struct runs_filter *f,
	struct err *err) MUST_CHECK;
void runs_done(struct runs *r);
/* Appends {1,2}, for struct runs_filter. */
void runs_ids(struct buf *ret, const struct runs *r);

#endif
