/*
 * What main looks after while the workers work, through a connection of its
 * own.
 */
#include "clock.h"
#include "engine_int.h"
#include <stdio.h>

/* Several times in POOLED_LEASE_SECONDS. */
#define BEAT_MS 3000

/* Progress is a courtesy: a lost connection is the workers' business to
 * report. */
bool
tend_progress(struct progress *ret, void *ctx)
{
	const struct tend *t = ctx;
	struct err ignored;
	char why[PRESSURE_REASON];

	if (!t->s->pg || pg_lost(t->s->pg) ||
		state_progress(ret, t->s, &ignored) < 0)
		return false;
	throttle_reason(why, &t->e->throttle);
	if (why[0] && !ret->paused[0])
		snprintf(ret->paused, sizeof(ret->paused), "waiting: %.140s",
			why);
	return true;
}

static void
keep_alive(struct state *s, struct worker *w)
{
	struct err ignored;
	int64_t id;

	pthread_mutex_lock(&w->mutex);
	id = w->alive;
	pthread_mutex_unlock(&w->mutex);
	if (id)
		(void)!state_keep_alive(s, id, POOLED_LEASE_SECONDS, &ignored);
}

/* A server that was restarted is looked at again as soon as it answers. */
static bool
revive(struct engine *e, struct state *s)
{
	struct err ignored;
	struct pg *pg;

	if (!pg_lost(s->pg))
		return true;
	if (pg_open(&pg, &e->o->job.connection, &ignored) < 0)
		return false;
	pg_close(s->pg);
	s->pg = pg;
	return true;
}

/* Looks at what others need. And, since nobody sees the end of a process behind
 * a pooler, says that its workers live: none could in the middle of a proof. */
void
tend_workers(void *ctx)
{
	const struct tend *t = ctx;
	struct engine *e = t->e;

	if (throttle_is_due(&e->throttle)) {
		if (revive(e, t->s))
			throttle_look(&e->throttle, t->s, &e->selection);
		else
			throttle_blind(&e->throttle);
	}
	if (clock_ms() - e->beat_ms < BEAT_MS)
		return;
	e->beat_ms = clock_ms();
	for (int64_t i = 0; i < e->workers; i++)
		keep_alive(t->s, &e->worker[i]);
}

/* It was idle while the workers worked. That it is gone shows only when it is
 * used. */
int
tend_connection(struct engine *e, struct state *s, struct err *err)
{
	struct err ignored;

	if (pg_exec(s->pg, "SELECT 1", &ignored) == 0)
		return 0;
	pg_close(s->pg);
	s->pg = NULL;
	return job_reconnect(&s->pg, &e->o->job, &e->stop, err);
}
