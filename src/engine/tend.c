/*
 * What main looks after while the workers work, through a connection of its
 * own.
 */
#include "engine_int.h"
#include "log.h"
#include <stdio.h>

#define ATTEMPTS 8

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
	ret->limited = throttle_limits_rate(&t->e->throttle);
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
	int64_t alive, proves;

	pthread_mutex_lock(&w->mutex);
	alive = w->alive;
	proves = w->proves;
	pthread_mutex_unlock(&w->mutex);
	if (alive)
		(void)!state_keep_alive(
			s, alive, POOLED_LEASE_SECONDS, &ignored);
	if (proves)
		(void)!state_prove_on(s, proves, &ignored);
}

/* It was idle for a while. That it is gone, or is the primary no longer, shows
 * only when it is used. */
static bool
is_connected(struct state *s)
{
	struct err ignored;

	if (s->pg && pg_exec(s->pg, "SELECT 1", &ignored) == 0 &&
		!pg_refuses_writes(s->pg))
		return true;
	pg_close(s->pg);
	s->pg = NULL;
	return false;
}

/* Those that wait for the throttle ask for nothing but a stop. */
static void
give_up(struct engine *e)
{
	struct err err;

	if (!throttle_gives_up(&e->throttle, &err))
		return;
	engine_end(e, END_FAILED, &err, NULL);
	stop_request(&e->stop, STOP_SOON);
}

/* Looks at what others need, also at a server that was restarted, as soon as it
 * answers. And says that its workers live, for which none has time in the
 * middle of a proof: behind a pooler nobody sees that a process has ended, and
 * nowhere that it is frozen. */
void
tend_workers(void *ctx)
{
	const struct tend *t = ctx;
	struct engine *e = t->e;
	struct err ignored;

	if (!throttle_is_due(&e->throttle))
		return;
	if (!is_connected(t->s) &&
		pg_open(&t->s->pg, &e->o->job.connection, &ignored) < 0) {
		throttle_blind(&e->throttle);
		return;
	}
	throttle_look(&e->throttle, t->s, &e->selection);
	give_up(e);
	for (int64_t i = 0; i < e->workers; i++)
		keep_alive(t->s, &e->worker[i]);
}

int
tend_connection(struct engine *e, struct state *s, struct err *err)
{
	if (is_connected(s))
		return 0;
	return job_reconnect(&s->pg, &e->o->job, &e->stop, err);
}

/* What a worker outlives ends no run because it was main that met it. */
bool
tend_again(struct engine *e, struct state *s, int attempt, struct err *err)
{
	enum pg_class class = pg_classify(err);

	if (attempt >= ATTEMPTS || stop_requested(&e->stop) ||
		(class != PG_CLASS_RETRY && class != PG_CLASS_LOCK &&
			class != PG_CLASS_LOST))
		return false;
	log_debug("again in a moment: %s", err->msg);
	stop_sleep(&e->stop, job_backoff_ms(attempt));
	return tend_connection(e, s, err) == 0;
}
