/*
 * The worker: pulls chunks until none is left, plans the next pass or proves
 * the end when it is the one to find none. Shares nothing with the others but
 * the stop flag.
 */
#include "engine_int.h"
#include "log.h"
#include <stdlib.h>
#include <string.h>

#define NAP_MS 200
#define PAUSE_NAP_MS 1000
/* Attempts to reach the server, well under a minute in all. */
#define RECONNECTS 8
#define RETRIES 20

int
worker_init(struct worker *w, struct engine *e, struct err *err)
{
	*w = (struct worker){.e = e};
	pthread_mutex_init(&w->mutex, NULL);
	for (size_t i = 0; i < ROTATION; i++)
		window_init(&w->window[i]);
	window_init(&w->again);
	buf_init(&w->fresh, (size_t)1 << 30);
	w->batch_limit = (size_t)e->o->batch_rows;
	return judge_new(&w->judge, &e->judge, err);
}

static void
disconnect(struct worker *w)
{
	struct pg *pg = w->pg;

	pthread_mutex_lock(&w->mutex);
	w->pg = NULL;
	pthread_mutex_unlock(&w->mutex);
	pg_close(pg);
}

void
worker_done(struct worker *w)
{
	disconnect(w);
	judge_free(w->judge);
	rows_free(w->rows);
	for (size_t i = 0; i < ROTATION; i++)
		window_done(&w->window[i]);
	window_done(&w->again);
	batch_done(&w->batch[0]);
	batch_done(&w->batch[1]);
	batch_done(&w->single);
	buf_done(&w->fresh);
	free(w->took);
	free(w->missed.ref);
	free(w->nested.ref);
	free(w->refused);
	pthread_mutex_destroy(&w->mutex);
}

/* A new connection is a new worker: what the old one held is free as soon as
 * its backend is gone. */
static int
connect_worker(struct worker *w, struct err *err)
{
	struct pg *pg;

	if (pg_open(&pg, &w->e->o->job.connection, err) < 0)
		return -1;
	pthread_mutex_lock(&w->mutex);
	w->pg = pg;
	pthread_mutex_unlock(&w->mutex);
	w->state = (struct state){
		.pg = pg, .schema = w->e->schema, .run = w->e->run};
	if (state_register(&w->state, &w->e->spec, err) == 0)
		return 0;
	disconnect(w); /* nobody may claim anything in no worker's name */
	return -1;
}

/* Nothing to claim: close the pass, plan the next one, or prove. */
static int
next_step(bool *waited, struct worker *w, struct err *err)
{
	char note[512] = "rows stay locked by ";
	enum step step;

	if (state_next(&step, &w->state, &w->e->selection, &w->e->pass, err) <
		0)
		return -1;
	switch (step) {
	case STEP_CLAIM:
		break;
	case STEP_WAIT:
		*waited = true;
		stop_sleep(&w->e->stop, NAP_MS);
		break;
	case STEP_PROVE:
		return prove(w, err);
	case STEP_STUCK:
		if (state_lockers(&w->state, &w->e->selection,
			    note + strlen(note), err) < 0)
			return -1;
		engine_end(w->e, END_STUCK, NULL, note);
		break;
	case STEP_PAUSED:
		w->state.paused = true;
		break;
	case STEP_FINISHED: /* by another process */
		engine_end(w->e, END_COMPLETE, NULL, NULL);
		break;
	}
	return 0;
}

/* Holds no chunk and no transaction meanwhile. */
static int
wait_for_resume(struct worker *w, struct err *err)
{
	char why[STATE_WHY];
	bool waits = false;
	int rc;

	state_give_back(&w->state);
	w->state.paused = false;
	while ((rc = state_pause_reason(why, &w->state, err)) == 0 && why[0] &&
		!stop_requested(&w->e->stop) &&
		engine_ended(w->e) == END_NONE) {
		if (!waits)
			engine_pause(w->e, why);
		waits = true;
		stop_sleep(&w->e->stop, PAUSE_NAP_MS);
	}
	if (waits)
		engine_resume(w->e);
	return rc;
}

/* *waited: it was well, but nothing was done. */
static int
turn(bool *waited, struct worker *w, struct err *err)
{
	bool found;
	int rc;

	*waited = false;
	if (!w->pg && connect_worker(w, err) < 0)
		return -1;
	if (state_claim(&found, &w->chunk, &w->state, &w->e->selection, err) <
		0)
		return -1;
	rc = found ? walk_chunk(w, err) : next_step(waited, w, err);
	if (rc < 0 || !w->state.paused)
		return rc;
	*waited = true;
	return wait_for_resume(w, err);
}

bool
worker_may_write(struct worker *w, size_t rows)
{
	if (!worker_yields(w))
		throttle_wait(&w->e->throttle, &w->e->stop, rows);
	return !worker_yields(w);
}

/* Jitter keeps workers from coming back all at once. */
static long
backoff_ms(int attempt)
{
	long ms = 100L << (attempt < 8 ? attempt : 8);

	return ms / 2 + random() % (ms / 2 + 1);
}

/* Is it worth another turn? Sleeps before saying so. */
static bool
survives(struct worker *w, const struct err *err, int *failures)
{
	int limit = RETRIES;

	switch (pg_classify(err)) {
	case PG_CLASS_LOST:
		limit = RECONNECTS;
		disconnect(w);
		break;
	case PG_CLASS_RETRY:
	case PG_CLASS_LOCK:
	case PG_CLASS_FENCE: /* the chunk is somebody else's now */
		break;
	case PG_CLASS_DATA:
	case PG_CLASS_FATAL:
		return false;
	}
	/* A poor connection is no reason to end while the work goes on. */
	if (w->advanced)
		*failures = 0;
	w->advanced = false;
	if (++*failures > limit)
		return false;
	log_debug("again in a moment: %s", err->msg);
	stop_sleep(&w->e->stop, backoff_ms(*failures));
	return true;
}

void *
worker_main(void *ctx)
{
	struct worker *w = ctx;
	struct err err = {0};
	int failures = 0;
	bool waited;

	while (!stop_requested(&w->e->stop) && engine_ended(w->e) == END_NONE) {
		/* Waiting is no success: what always fails would otherwise be
		 * tried for ever once its chunk is free again. */
		if (turn(&waited, w, &err) == 0)
			failures = waited ? failures : 0;
		else if (stop_requested(&w->e->stop))
			break;
		else if (!survives(w, &err, &failures))
			engine_end(w->e, END_FAILED, &err, NULL);
	}
	if (w->pg && !pg_lost(w->pg)) {
		pg_rollback(w->pg);
		state_give_back(&w->state);
	}
	crew_leave(&w->e->crew);
	return NULL;
}
