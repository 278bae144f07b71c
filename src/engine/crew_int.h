/*
 * crew_int.h - threads that work until there is nothing left to do, and the
 * one that waits for them, shows how far they are, and minds the time.
 */
#ifndef PGREKEY_CREW_INT_H
#define PGREKEY_CREW_INT_H

#include "state.h"
#include "stop.h"

/* One owner, which alone calls these functions but for crew_leave(). */
struct crew {
	pthread_mutex_t mutex; /* for running */
	pthread_cond_t idle;   /* none runs any more */
	int running;
	pthread_t *thread;
	size_t threads;
};

void crew_init(struct crew *c, size_t most);
void crew_done(struct crew *c); /* after crew_join() */
int crew_start(struct crew *c, void *(*main)(void *ctx), void *ctx,
	struct err *err) MUST_CHECK;
void crew_leave(struct crew *c); /* the last thing a thread does */
/* The same, unless all others have left: false, and it has to stay. */
bool crew_leave_others(struct crew *c);
void crew_join(struct crew *c);

/* -- progress.c ------------------------------------------------------------ */

struct watch {
	struct crew *crew;
	struct stop *stop;
	bool quiet;
	/* Fills ret; false when it cannot say at the moment. */
	bool (*ask)(struct progress *ret, void *ctx);
	/* Several times a second, or NULL. */
	void (*tick)(void *ctx);
	/* Again and again while a stop is requested, or NULL: what cannot end
	 * by itself in good time must be cancelled. */
	void (*hurry)(void *ctx);
	void *ctx;
};

/* Shows how far it is until nobody works any more. */
void progress_watch(const struct watch *w);

#endif
