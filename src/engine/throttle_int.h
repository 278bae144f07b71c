/*
 * throttle_int.h - waiting a little, for the good of others.
 *
 * The thread that watches looks at the server about once a second; the workers
 * ask before each batch, outside of any transaction.
 */
#ifndef PGREKEY_THROTTLE_INT_H
#define PGREKEY_THROTTLE_INT_H

#include "pressure.h"
#include "stop.h"

struct throttle {
	struct pressure pressure;
	const struct run_spec *spec;
	int64_t max_rows_per_second; /* of all hosts that have the same number;
					0: no limit */
	int64_t workers;             /* of this process */
	int64_t looked_ms;
	char told[PRESSURE_REASON]; /* what status says */
	bool said_rate;             /* in the log, once */
	int64_t missing_ms;         /* since when a standby is; 0: none is */

	pthread_mutex_t mutex; /* for what follows */
	char reason[PRESSURE_REASON];
	double rate;   /* rows per second for this process; 0: no limit */
	double credit; /* rows that may be written now; may be negative */
	int64_t filled_ms;
	/* When a reason, and when the rate, last held a worker; 0: never. */
	int64_t waited_ms, held_ms;
};

struct throttle_options {
	struct pressure_limits limits;
	int64_t max_rows_per_second;
	int64_t workers;
	const struct run_spec *spec; /* outlives it */
};

void throttle_init(struct throttle *t, const struct throttle_options *o);
void throttle_done(struct throttle *t);
/* Sees what can be seen; says what cannot. */
int throttle_begin(struct throttle *t, struct state *s,
	const struct selection *sel, struct err *err) MUST_CHECK;

/* The watching thread, whose connection s is: is it time to look again? Then
 * it looks. Without a connection the workers wait, if there are signals that
 * they are to obey. */
bool throttle_is_due(struct throttle *t);
void throttle_blind(struct throttle *t);
void throttle_look(
	struct throttle *t, struct state *s, const struct selection *sel);

/* True if what the workers wait for does not seem to come back; err says
 * what. */
bool throttle_gives_up(struct throttle *t, struct err *err);

/* Why the workers wait, or "". Not for the rate: between two batches of it
 * they work. */
void throttle_reason(char ret[PRESSURE_REASON], struct throttle *t);
/* Has the rate held one of them of late? */
bool throttle_limits_rate(struct throttle *t);

/* True when rows may be written; false when they may not for so long, or when
 * it is time to stop. */
bool throttle_wait(struct throttle *t, struct stop *stop, size_t rows,
	int64_t ms) MUST_CHECK;

#endif
