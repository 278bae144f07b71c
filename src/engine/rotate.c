/*
 * The run as a whole: connect, look, join or begin, let the workers work,
 * gather what happened.
 */
#include "clock.h"
#include "engine_int.h"
#include "fail_point.h"
#include "log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS 8

/* -- setting up ------------------------------------------------------------ */

/* From now on main only looks, through this connection, or NULL: no more. */
static void
set_looking(struct engine *e, struct pg *pg)
{
	pthread_mutex_lock(&e->mutex);
	e->looking = pg;
	pthread_mutex_unlock(&e->mutex);
	atomic_store(&e->stop.at_once, pg != NULL);
}

static void
cancel_all(void *ctx)
{
	struct engine *e = ctx;

	pthread_mutex_lock(&e->mutex);
	if (e->looking)
		pg_cancel(e->looking);
	for (int64_t i = 0; i < e->workers; i++) {
		struct worker *w = &e->worker[i];

		pthread_mutex_lock(&w->mutex);
		if (w->pg)
			pg_cancel(w->pg);
		pthread_mutex_unlock(&w->mutex);
	}
	pthread_mutex_unlock(&e->mutex);
}

static void
tick(void *ctx)
{
	const struct engine *e = ctx;

	if (e->o->answer_timeout_ms > 0)
		pg_end_silent(e->o->answer_timeout_ms);
}

static void
init_throttle(struct engine *e)
{
	struct throttle_options t = {
		.limits = e->o->limits,
		.max_rows_per_second = e->o->max_rows_per_second,
		.workers = e->o->workers,
		.spec = &e->spec,
	};

	throttle_init(&e->throttle, &t);
}

static void
engine_init(struct engine *e, const struct rotate_options *o)
{
	*e = (struct engine){.o = o};
	e->started_ms = clock_ms();
	pthread_mutex_init(&e->mutex, NULL);
	strays_init(&e->strays);
	crew_init(&e->crew, (size_t)o->workers);
	init_throttle(e);
	e->schema = job_quoted_schema(&o->job);
	spec_make(&e->spec, o, &e->catalog);
	e->pass = (struct pass_options){
		.chunk_bytes = o->chunk_bytes,
		.rotation = ROTATION,
		.workers = o->workers,
		.max_passes = o->max_passes,
		.finish_wait_s = 300,
	};
	e->judge = (struct judge_options){
		.ring = o->job.ring,
		.seal = true,
	};
}

static void
engine_done(struct engine *e)
{
	catalog_done(&e->catalog);
	free(e->selection.oid);
	spec_done(&e->spec);
	free(e->schema);
	throttle_done(&e->throttle);
	strays_done(&e->strays);
	crew_done(&e->crew);
	pthread_mutex_destroy(&e->mutex);
}

/* -- a run ----------------------------------------------------------------- */

/* This host's clock may be wrong, and a run may have several hosts. */
static int
read_clock(struct engine *e, struct state *s, struct err *err)
{
	if (state_clock(&e->judge.now, s, err) < 0)
		return -1;
	/* Until a run is open that began earlier. */
	e->judge.run_start = e->judge.now;
	return 0;
}

/* Leaves that look clean need no pass; the proof has the last word. */
static bool *
glance(struct engine *e, struct pg *pg, struct err *err)
{
	bool *has_work = xcalloc(e->catalog.leaves + 1, sizeof(*has_work));

	for (size_t i = 0; i < e->catalog.leaves; i++) {
		const struct leaf *leaf = &e->catalog.leaf[i];
		struct rows *r;
		int rc;

		if (!engine_selects(e, leaf))
			continue;
		r = engine_rows(e, leaf);
		rc = rows_glance(&has_work[i], r, pg, err);
		rows_free(r);
		if (rc < 0) {
			free(has_work);
			return NULL;
		}
	}
	return has_work;
}

static bool *
look_once(struct engine *e, struct pg *pg, struct err *err)
{
	bool *ret = glance(e, pg, err);

	if (ret && preflight(e, pg, ret, err) == 0)
		return ret;
	free(ret);
	return NULL;
}

/* Partitions may be dropped before anything holds them. */
static bool *
look_ahead(struct engine *e, struct pg *pg, struct err *err)
{
	bool *ret = look_once(e, pg, err);

	for (int attempt = 1; !ret && attempt < ATTEMPTS; attempt++) {
		if (!generations_changed(e, pg, err) ||
			generations_load(e, pg, err) < 0)
			return NULL;
		ret = look_once(e, pg, err);
	}
	return ret;
}

static int
look_around(struct engine *e, struct state *s, const bool *has_work,
	struct err *err)
{
	if (state_run_start(&e->judge.run_start, s, err) < 0)
		return -1;
	for (size_t i = 0; i < e->catalog.leaves; i++) {
		if (!has_work[i] && engine_selects(e, &e->catalog.leaf[i]) &&
			state_settle(s, e->catalog.leaf[i].oid, err) < 0)
			return -1;
	}
	if (throttle_begin(&e->throttle, s, &e->selection, err) < 0)
		return -1;
	/* What holds from the start holds the first batch. */
	throttle_look(&e->throttle, s, &e->selection);
	return 0;
}

/* From here on this session is one of the run's, and no worker lives yet that
 * would go on if somebody cancels what they do, or ends them. */
static int
settle_in(struct engine *e, struct state *s, const bool *has_work,
	struct err *err)
{
	for (int attempt = 1; look_around(e, s, has_work, err) < 0; attempt++) {
		if (!tend_again(e, s, attempt, err))
			return -1;
	}
	return 0;
}

static int
begin_run(
	struct engine *e, struct state *s, struct outcome *ret, struct err *err)
{
	bool *has_work = look_ahead(e, s->pg, err);
	int rc = -1;

	if (!has_work)
		return -1;
	set_looking(e, NULL);
	if (generations_open(&ret->joined, e, s, err) < 0)
		goto out;
	FAIL_POINT(run_opened);
	ret->run = s->run;
	rc = settle_in(e, s, has_work, err);
out:
	free(has_work);
	return rc;
}

/* -- how it ended ---------------------------------------------------------- */

/* How it ended and what was found. In one transaction: that its COMMIT is
 * answered by COMMIT says that each answer was that to its question. */
static int
report_once(
	struct outcome *ret, struct engine *e, struct state *s, struct err *err)
{
	int status;

	outcome_clear(ret, &e->o->job);
	if (pg_begin(s->pg, PG_WRITE, NULL, err) < 0)
		return -1;
	status = outcome_status(ret, e, s, err);
	if (status < 0 || outcome_gather(ret, e, s, err) < 0 ||
		pg_exec(s->pg, "COMMIT", err) < 0) {
		pg_rollback(s->pg);
		return -1;
	}
	if (!e->o->thorough || ret->thorough)
		return status;
	ret->complete = false;
	if (status != ERR_NONE)
		return status;
	return outcome_stopped(ret,
		"another process finished the run, and did not open every "
		"value");
}

static int
report(struct outcome *ret, struct engine *e, struct state *s, struct err *err)
{
	int status = report_once(ret, e, s, err);

	for (int attempt = 1; status < 0; attempt++) {
		if (!tend_again(e, s, attempt, err))
			return -1;
		status = report_once(ret, e, s, err);
	}
	return status;
}

static int
real_run(
	struct outcome *ret, struct engine *e, struct state *s, struct err *err)
{
	if (state_prepare(s, err) < 0) {
		ret->schema_denied = !strcmp(err->sqlstate, "42501");
		return -1;
	}
	if (begin_run(e, s, ret, err) < 0 || generations_work(e, s, err) < 0 ||
		tend_connection(e, s, err) < 0)
		return -1;
	return report(ret, e, s, err);
}

/* -- entry ----------------------------------------------------------------- */

int
rotate_run(struct outcome *ret, const struct rotate_options *o, struct err *err)
{
	struct state s = {0};
	struct engine e;
	int status = -1;

	outcome_init(ret, &o->job);
	engine_init(&e, o);
	s.schema = e.schema;
	e.stop.tick = tick;
	e.stop.most_ms = o->job.max_runtime_ms;
	if (stop_start(&e.stop, cancel_all, &e, err) < 0) {
		engine_done(&e);
		return -1;
	}
	if (job_connect(&s.pg, &o->job, &e.stop, err) < 0)
		goto out;
	set_looking(&e, s.pg);
	if (job_tell_locked(&o->job, s.pg, err) < 0 ||
		generations_load(&e, s.pg, err) < 0 ||
		state_limits(&e.lock_ms, &e.statement_ms, &s,
			o->lock_timeout_ms, err) < 0 ||
		read_clock(&e, &s, err) < 0)
		goto out;
	status = o->dry_run ? dry_run(ret, &e, &s, err)
			    : real_run(ret, &e, &s, err);
out:
	set_looking(&e, NULL);
	/* Before there was anything to roll back. */
	if (status < 0 && e.run == 0 && stop_cut_short(&e.stop, err))
		status = outcome_stopped(ret, "stopped before the first write");
	outcome_finish(ret, e.started_ms);
	pg_close(s.pg); /* which may wait, too, behind a pooler */
	stop_end(&e.stop);
	engine_done(&e);
	return status;
}
