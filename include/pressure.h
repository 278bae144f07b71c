/*
 * pressure.h - what a rotation puts on the server, as far as one can see it:
 * the reasons to wait a little.
 *
 * One thread and one connection. A signal that the role cannot read is off
 * from the start and named in blind; one that fails later is a reason to wait.
 */
#ifndef PGREKEY_PRESSURE_H
#define PGREKEY_PRESSURE_H

#include "state.h"

struct pressure_limits {
	int64_t replica_lag_ms; /* of the slowest standby; 0: no limit */
	int64_t slot_bytes; /* WAL kept for slots beyond what it was; 0: none */
	int64_t dead_rows;  /* in the tables of the run; 0: no limit */
	const char *query;  /* for one boolean: true means wait; or NULL */
};

struct pressure {
	struct pressure_limits limits;
	int64_t slot_base; /* WAL kept for slots when it began */
	bool lag_hidden;
};

#define PRESSURE_REASON 200

/* The reason that is no signal: it holds for moments only, but nearly always,
 * and any other one is said instead of it. */
#define PRESSURE_RATE "max_rows_per_second is reached"

/* Before a run: does the query answer, and with a boolean? ERR_USAGE when it
 * does not. to as in remark.h. */
int pressure_check(const struct remarks *to, struct pg *pg,
	const struct pressure_limits *limits, struct err *err) MUST_CHECK;

/* Takes the bearings. blind names a signal that is off, or is empty. */
int pressure_begin(struct pressure *ret, char blind[PRESSURE_REASON],
	struct state *s, const struct pressure_limits *limits,
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
