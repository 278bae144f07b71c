/*
 * pressure.h - what a rotation puts on the server, as far as one can see it:
 * the reasons to wait a little.
 *
 * One thread and one connection. A signal that the role may not read is off
 * from the start, which is said in blind; one that fails later is a reason to
 * wait.
 */
#ifndef PGREKEY_PRESSURE_H
#define PGREKEY_PRESSURE_H

#include "state.h"

#define PRESSURE_REASON 200

struct pressure_limits {
	int64_t replica_lag_ms; /* of the slowest standby; 0: no limit */
	int64_t slot_bytes; /* WAL kept for slots beyond what it was; 0: none */
	int64_t dead_rows;  /* in the tables of the run; 0: no limit */
	const char *query;  /* for one boolean: true means wait; or NULL */
};

struct pressure {
	struct pressure_limits limits; /* 0: that signal is off */
	int64_t standbys;  /* physical ones that replay, when it began */
	char timeline[9];  /* that they are of: another one has others */
	int64_t missing;   /* of them, at the last look */
	int64_t waiters;   /* who waits for us is looked for; 0: off, too */
	int64_t slot_base; /* WAL kept for slots when it began */
	/* Nobody replicates, and the role could not see how: off, too, but as
	 * long as it stays so that is not worth a word. */
	bool lag_moot;
	/* What is off, why, and what helps: to be said and emptied, or "". */
	char blind[4 * PRESSURE_REASON];
};

/* The reason that is no signal: it holds for moments only, but nearly always,
 * and any other one is said instead of it. */
#define PRESSURE_RATE "max_rows_per_second is reached"

/* Before a run: does the query answer, and with a boolean? ERR_USAGE when it
 * does not. to as in remark.h. */
int pressure_check(const struct remarks *to, struct pg *pg,
	const struct pressure_limits *limits, struct err *err) MUST_CHECK;

/* Takes the bearings, and sees what can be seen. */
int pressure_begin(struct pressure *ret, struct state *s,
	const struct selection *sel, const struct pressure_limits *limits,
	struct err *err) MUST_CHECK;

/* reason says why to wait, or is empty. -1 only when the connection is lost. */
int pressure_look(char reason[PRESSURE_REASON], struct pressure *p,
	struct state *s, const struct selection *sel,
	struct err *err) MUST_CHECK;

/* Lets status say why this process waits; "" when it does not. Writes only
 * where that is news. */
int pressure_tell(struct state *s, const struct run_spec *spec,
	const char *reason, struct err *err) MUST_CHECK;

/* Of all workers of the run that live, how many there are. At least 1. */
int pressure_workers(int64_t *ret, struct state *s, struct err *err) MUST_CHECK;

#endif
