/*
 * The worker: pulls chunks until none is left, plans the next pass or proves
 * the end when it is the one to find none. Shares nothing with the others but
 * the stop flag.
 */
#include "clock.h"
#include "engine_int.h"
#include "fail_point.h"
#include "log.h"
#include <stdlib.h>
#include <string.h>

#define HOLD_MAX ((size_t)16 << 20)
#define NAP_MS 200
/* There are other tables to go on with. */
#define TABLE_LOCK_MS 10000
#define PAUSE_NAP_MS 1000
#define RENEW_MS (1000 * LEASE_SECONDS / 6)

/* A quarter more, for the last row of a window, which may exceed its limit. Not
 * much more than the default needs, though: large windows may stay empty. */
static void
hold_bytes(struct worker *w)
{
	size_t room = 5 * worker_window_bytes(w);

	buf_hold(&w->bytes, room < HOLD_MAX ? room : HOLD_MAX);
}

int
worker_init(struct worker *w, struct engine *e, struct err *err)
{
	*w = (struct worker){.e = e,
		.state = {.schema = e->schema,
			.run = e->run,
			.opener = e->opener}};
	pthread_mutex_init(&w->mutex, NULL);
	for (size_t i = 0; i < ROTATION; i++)
		window_init(&w->window[i], &w->bytes);
	window_init(&w->again, &w->again_bytes);
	window_bytes_init(&w->bytes);
	window_bytes_init(&w->again_bytes);
	hold_bytes(w);
	buf_init(&w->fresh, (size_t)1 << 30);
	w->batch_limit = (size_t)e->o->batch_rows;
	return judge_new(&w->judge, &e->judge, err);
}

void
worker_disconnect(struct worker *w)
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
	worker_disconnect(w);
	judge_free(w->judge);
	rows_free(w->rows);
	for (size_t i = 0; i < ROTATION; i++)
		window_done(&w->window[i]);
	window_done(&w->again);
	buf_done(&w->bytes);
	buf_done(&w->again_bytes);
	batch_done(&w->batch[0]);
	batch_done(&w->batch[1]);
	batch_done(&w->single);
	buf_done(&w->fresh);
	free(w->missed.ref);
	free(w->nested.ref);
	stray_list_done(&w->strays);
	free(w->found);
	free(w->refused);
	pthread_mutex_destroy(&w->mutex);
}

/* From now on main says that this worker lives, or no longer. */
static void
show_life(struct worker *w, bool show)
{
	pthread_mutex_lock(&w->mutex);
	w->alive = show ? w->state.worker : 0;
	pthread_mutex_unlock(&w->mutex);
}

static void
end_life(struct worker *w)
{
	struct err ignored;

	show_life(w, false);
	if (pg_is_pooled(w->pg))
		(void)!state_keep_alive(
			&w->state, w->state.worker, 0, &ignored);
}

/* A new connection is a new worker: what the old one held is free as soon as
 * its backend is gone. Behind a pooler the worker stays the same. */
static int
connect_worker(struct worker *w, struct err *err)
{
	struct pg_options o = w->e->o->job.connection;
	struct pg *pg;

	if (o.lock_timeout_ms == 0 || o.lock_timeout_ms > TABLE_LOCK_MS)
		o.lock_timeout_ms = TABLE_LOCK_MS;
	if (pg_open(&pg, &o, err) < 0)
		return -1;
	pthread_mutex_lock(&w->mutex);
	w->pg = pg;
	pthread_mutex_unlock(&w->mutex);
	w->state.pg = pg;
	if (state_register(&w->state, &w->e->spec, err) < 0) {
		/* nobody may claim anything in no worker's name */
		worker_disconnect(w);
		return -1;
	}
	FAIL_POINT(worker_registered);
	if (pg_is_far(pg))
		log_debug("the server is far: batches are sent ahead");
	show_life(w, pg_is_pooled(pg));
	return 0;
}

/* Meanwhile main says that it goes on. */
static int
prove_in_time(struct worker *w, struct err *err)
{
	int rc;

	pthread_mutex_lock(&w->mutex);
	w->proves = w->state.worker;
	pthread_mutex_unlock(&w->mutex);
	rc = prove(w, err);
	pthread_mutex_lock(&w->mutex);
	w->proves = 0;
	pthread_mutex_unlock(&w->mutex);
	return rc;
}

/* As long as for rows that somebody holds. */
static int
wait_for_table(struct worker *w, struct err *err)
{
	char note[512] = "a table stays locked by ";
	int64_t now = clock_ms();
	bool first = w->locked_since_ms == 0, over;

	if (first)
		w->locked_since_ms = now;
	over = now - w->locked_since_ms >= w->e->pass.finish_wait_s * 1000;
	if ((first || over) && state_lockers(&w->state, &w->e->selection,
				       note + strlen(note), err) < 0)
		return -1;
	if (over)
		engine_end(w->e, END_STUCK, NULL, note);
	else if (first)
		log_warning("waiting: %s", note);
	stop_sleep(&w->e->stop, NAP_MS);
	return 0;
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
	if (w->e->lost > 0 && (step == STEP_PROVE || step == STEP_STUCK)) {
		engine_end(w->e, END_FAILED, &w->e->why, NULL);
		return 0;
	}
	FAIL_POINT(pass_over);
	if (step != STEP_LOCKED)
		w->locked_since_ms = 0;
	switch (step) {
	case STEP_CLAIM:
		break;
	case STEP_LOCKED:
		*waited = true;
		return wait_for_table(w, err);
	case STEP_WAIT:
		*waited = true;
		stop_sleep(&w->e->stop, NAP_MS);
		break;
	case STEP_PROVE:
		return prove_in_time(w, err);
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
		engine_end(w->e, END_ELSEWHERE, NULL, NULL);
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

	*waited = w->walks = false;
	if (!w->pg && connect_worker(w, err) < 0)
		return -1;
	if (missed_store_found(w, err) < 0)
		return -1;
	if (state_claim(&found, &w->chunk, &w->state, &w->e->selection, err) <
		0)
		return -1;
	FAIL_POINT(chunk_claimed);
	w->walks = found;
	w->locked_since_ms = found ? 0 : w->locked_since_ms;
	rc = found ? walk_chunk(w, err) : next_step(waited, w, err);
	w->walks = rc < 0 && found;
	if (rc < 0 || !w->state.paused)
		return rc;
	*waited = true;
	return wait_for_resume(w, err);
}

/* Nothing has happened to the chunk but time. */
static int
renew_lease(struct worker *w, struct err *err)
{
	struct chunk_counts none = {
		.columns = rows_leaf(w->rows)->conf->columns};

	return state_advance(
		&w->state, &w->chunk, &none, w->chunk.pos, false, err);
}

bool
worker_may_write_now(struct worker *w, size_t rows)
{
	return !worker_yields(w) &&
	       throttle_wait(&w->e->throttle, &w->e->stop, rows, 0);
}

int
worker_may_write(bool *ret, struct worker *w, size_t rows, struct err *err)
{
	struct engine *e = w->e;

	*ret = false;
	while (!worker_yields(w) && !*ret) {
		*ret = throttle_wait(&e->throttle, &e->stop, rows, RENEW_MS);
		if (!*ret && !stop_requested(&e->stop) &&
			renew_lease(w, err) < 0)
			return -1;
	}
	*ret = *ret && !worker_yields(w);
	return 0;
}

/* One worker without a connection is no reason to end those that have one. */
static bool
is_dispensable(struct worker *w, const struct err *err)
{
	if (pg_classify(err) != PG_CLASS_LOST ||
		!crew_leave_others(&w->e->crew))
		return false;
	show_life(w, false);
	log_warning("a worker gives up, the others go on: %s", err->msg);
	return true;
}

/* False: it has left the crew already. */
static bool
work(struct worker *w)
{
	struct err err = {0};
	bool waited;

	while (!stop_requested(&w->e->stop) && engine_ended(w->e) == END_NONE) {
		if (turn(&waited, w, &err) == 0) {
			/* Waiting is no success: what always fails would
			 * otherwise be tried for ever once its chunk is free
			 * again. */
			if (!waited) {
				worker_forgive(w);
				w->told_full = false;
			}
		} else if (stop_requested(&w->e->stop))
			break;
		else if (worker_survives(w, &err))
			continue;
		else if (is_dispensable(w, &err))
			return false;
		else
			worker_gives_up(w, &err);
	}
	return true;
}

void *
worker_main(void *ctx)
{
	struct worker *w = ctx;

	if (!work(w))
		return NULL;
	if (w->pg && !pg_lost(w->pg)) {
		pg_rollback(w->pg);
		state_give_back(&w->state);
		end_life(w);
	}
	crew_leave(&w->e->crew);
	return NULL;
}
