/*
 * stop.h - being asked to stop: signals, a time budget, a failing worker.
 *
 * No signal handlers: signals are blocked in every thread, one thread waits
 * for them. First SIGINT, SIGTERM or SIGHUP (but for one that was ignored, as
 * under nohup): finish the batch and hand the chunk back.
 * Second: cancel what runs and roll back; where the server answers neither, the
 * process ends all the same, since that loses nothing. A stop that was
 * requested and has not come about within STOP_SOON_MS counts as a second
 * signal: no batch takes that long, so it is a server that does not answer.
 * While nothing was begun that is worth its end, one signal counts as the
 * second. A time that is up is as good as a first signal. SIGUSR1: print
 * progress now. One struct stop per process; its functions may be called from
 * any thread.
 */
#ifndef PGREKEY_STOP_H
#define PGREKEY_STOP_H

#include "err.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum stop_level {
	STOP_NOT,
	STOP_SOON, /* at the next batch boundary */
	STOP_NOW,  /* roll back */
};

struct stop {
	atomic_int level;     /* enum stop_level */
	atomic_bool at_once;  /* there is no batch to finish */
	atomic_bool progress; /* SIGUSR1 came */
	atomic_bool ended;    /* the signal thread may go */
	atomic_bool over;     /* nothing can hang any more */
	bool silent;          /* nothing is said, nothing to be continued */
	int soon_ms;          /* to stop in; 0: STOP_SOON_MS */
	int grace_ms;         /* to roll back in; 0: STOP_GRACE_MS */
	int64_t most_ms;      /* from the start to STOP_SOON; 0: no limit */
	bool guarded;         /* there is a guard; of the signal thread */
	pthread_t thread, guard;
	/* Called in the signal thread when the level becomes STOP_NOW, and
	 * again and again while it is and at_once is set. */
	void (*now)(void *ctx);
	/* In the signal thread, too: several times a second, or NULL. */
	void (*tick)(void *ctx);
	void *ctx;
};

#define STOP_SOON_MS 60000
#define STOP_GRACE_MS 5000

/* Blocks the signals in this thread and all it will start. What is not set
 * here, silent, tick and the times, is the caller's to set beforehand. */
int stop_start(struct stop *s, void (*now)(void *ctx), void *ctx,
	struct err *err) MUST_CHECK;
/* From now on nothing ends the process for the caller, who therefore has closed
 * its connections. */
void stop_end(struct stop *s);

void stop_request(struct stop *s, enum stop_level level);

static inline bool
stop_requested(struct stop *s)
{
	return atomic_load_explicit(&s->level, memory_order_relaxed) !=
	       STOP_NOT;
}

/* Is that why it failed? */
static inline bool
stop_cut_short(struct stop *s, const struct err *err)
{
	return stop_requested(s) &&
	       (err->code == ERR_STOPPED || !strcmp(err->sqlstate, "57014"));
}

/* Sleeps, but not longer than until a stop is requested. */
void stop_sleep(struct stop *s, long ms);

#endif
