/*
 * Reaching the server, and how long to try.
 */
#include "clock.h"
#include "job.h"
#include "log.h"
#include <string.h>
#include <sys/random.h>

#define ATTEMPTS 8
#define STARTING_MS 120000

/* Jitter keeps workers from coming back all at once, those of other processes
 * and hosts, too: what random() says unseeded is the same in all of them. */
long
job_backoff_ms(int attempt)
{
	long ms = 100L << (attempt < 8 ? attempt : 8);
	uint32_t draw = 0;

	if (getrandom(&draw, sizeof(draw), 0) < 0)
		draw = 0; /* no reason to end */
	return ms / 2 + (long)draw % (ms / 2 + 1);
}

static bool
is_starting(const struct err *err)
{
	return !strcmp(err->sqlstate, "57P03");
}

/* Too many connections; starting up, shutting down or recovering. */
static bool
says_later(const struct err *err)
{
	return is_starting(err) || !strcmp(err->sqlstate, "53300");
}

/* A restart is both, one after the other: what took long to start may still be
 * gone for a moment. */
bool
job_tries_again(struct job_attempts *a, const struct err *err)
{
	if (!is_starting(err)) {
		a->count = ++a->others;
		return a->count <= ATTEMPTS;
	}
	a->count = ++a->starting;
	if (a->count == 1)
		a->since_ms = clock_ms();
	return clock_ms() - a->since_ms < STARTING_MS;
}

/* The pauses are long at last; a failure of the other kind is news, and worth a
 * line and a quick look. */
static int
try_for_a_while(struct pg **ret, const struct job *job, struct stop *stop,
	bool again, struct err *err)
{
	struct job_attempts attempts = {0};

	while (pg_open(ret, &job->connection, err) < 0) {
		*ret = NULL;
		/* It may be restarting: next it is not there at all. */
		again |= says_later(err);
		if (!again || pg_classify(err) != PG_CLASS_LOST ||
			!job_tries_again(&attempts, err) ||
			stop_requested(stop))
			return -1;
		if (attempts.count == 1)
			log_info("%s; trying again for a while", err->msg);
		stop_sleep(stop, job_backoff_ms(attempts.count));
	}
	return 0;
}

int
job_connect(struct pg **ret, const struct job *job, struct stop *stop,
	struct err *err)
{
	if (try_for_a_while(ret, job, stop, false, err) < 0)
		return -1;
	if (pg_is_pooled(*ret))
		log_warning("a pooler is in between: nothing is set for its "
			    "sessions, and the chunks of a killed process are "
			    "free only after some seconds; a direct connection "
			    "is better");
	return 0;
}

int
job_reconnect(struct pg **ret, const struct job *job, struct stop *stop,
	struct err *err)
{
	return try_for_a_while(ret, job, stop, true, err);
}
