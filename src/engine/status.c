/*
 * Looking at runs once, or again and again, and pausing them.
 */
#include "status.h"
#include "quote.h"
#include "stop.h"
#include <stdlib.h>

#define SAMPLE_MS 1000
#define WATCH_MS 2000

/* -- what follows from the facts ------------------------------------------- */

size_t
status_living(const struct runs *runs, const struct run_facts *run)
{
	size_t n = 0;

	for (size_t i = 0; i < runs->workers; i++)
		n += runs->worker[i].run == run->id && runs->worker[i].alive;
	return n;
}

static bool
is_open(const struct run_facts *run)
{
	return !strcmp(run->state, "open");
}

const char *
status_word(const struct runs *runs, const struct run_facts *run)
{
	if (!is_open(run))
		return run->state;
	if (run->paused_ms)
		return "paused";
	return status_living(runs, run) > 0 ? "running" : "interrupted";
}

double
status_percent(const struct table_facts *t)
{
	if (t->pass == 0 && !strcmp(t->state, "dirty"))
		return 0;
	return t->blocks > 0 ? 100.0 * (double)t->done / (double)t->blocks
			     : 100;
}

static const struct run_facts *
find_run(const struct runs *runs, int64_t id)
{
	for (size_t i = 0; runs && i < runs->runs; i++) {
		if (runs->run[i].id == id)
			return &runs->run[i];
	}
	return NULL;
}

static void
measure(struct run_rate *ret, const struct run_facts *run,
	const struct runs *before)
{
	const struct run_facts *old =
		is_open(run) ? find_run(before, run->id) : NULL;
	int64_t end = run->finished_ms ? run->finished_ms : run->now_ms;
	int64_t ms = end - (old ? old->now_ms : run->started_ms);
	int64_t values = run->rewritten - (old ? old->rewritten : 0);

	ret->sampled = old != NULL;
	ret->seconds = ms > 0 ? (double)ms / 1000 : 0;
	ret->per_second = ms > 0 ? (double)values / ret->seconds : 0;
}

/* -- looking --------------------------------------------------------------- */

struct looker {
	const struct status_options *o;
	struct state state;
	char *schema;
	struct stop stop;
};

static void
outcome_done_with(struct status_outcome *o)
{
	runs_done(&o->runs);
	free(o->rate);
	*o = (struct status_outcome){0};
}

/* before is the look that the rates are measured against, or NULL. */
static int
look(struct status_outcome *ret, struct looker *l,
	const struct status_outcome *before, struct err *err)
{
	struct runs_filter f = {.all = l->o->all, .run = l->o->run};
	struct buf ids;
	bool found;
	int rc;

	*ret = (struct status_outcome){0};
	buf_init(&ids, (size_t)1 << 24);
	if (before) {
		runs_ids(&ids, &before->runs);
		f.ids = buf_str(&ids);
	}
	rc = state_find_schema(&found, &l->state, err);
	if (rc == 0 && found)
		rc = runs_load(&ret->runs, &l->state, &f, err);
	buf_done(&ids);
	if (rc < 0)
		return -1;
	if (f.run > 0 && ret->runs.runs == 0)
		return err_set(err, ERR_USAGE, "there is no run %lld",
			(long long)f.run);
	ret->rate = xcalloc(ret->runs.runs + 1, sizeof(*ret->rate));
	for (size_t i = 0; i < ret->runs.runs; i++)
		measure(&ret->rate[i], &ret->runs.run[i],
			before ? &before->runs : NULL);
	return 0;
}

static bool
any_open(const struct status_outcome *o)
{
	for (size_t i = 0; i < o->runs.runs; i++) {
		if (is_open(&o->runs.run[i]))
			return true;
	}
	return false;
}

/* Rates are measured between one look and the next: the first is not shown
 * but when there is nothing to wait for. */
static int
watch(struct looker *l, status_fn show, void *ctx, struct err *err)
{
	struct status_outcome before, now;
	long nap_ms = SAMPLE_MS;
	int rc;

	rc = look(&before, l, NULL, err);
	if (rc == 0 && !any_open(&before))
		show(ctx, &before);
	while (rc == 0 && any_open(&before)) {
		stop_sleep(&l->stop, nap_ms);
		if (stop_requested(&l->stop))
			break;
		nap_ms = WATCH_MS;
		rc = look(&now, l, &before, err);
		outcome_done_with(&before);
		before = now;
		if (rc == 0 && !show(ctx, &before))
			break;
	}
	outcome_done_with(&before);
	/* Cancelled by a second signal: that is how it is left. */
	return stop_requested(&l->stop) ? 0 : rc;
}

static void
cancel_look(void *ctx)
{
	struct looker *l = ctx;

	pg_cancel(l->state.pg);
}

static int
watch_until_stopped(
	struct looker *l, status_fn show, void *ctx, struct err *err)
{
	int rc;

	l->stop.silent = true;
	if (stop_start(&l->stop, cancel_look, l, err) < 0)
		return -1;
	rc = watch(l, show, ctx, err);
	stop_end(&l->stop);
	return rc;
}

static int
look_once(struct looker *l, status_fn show, void *ctx, struct err *err)
{
	struct status_outcome o;
	int rc = look(&o, l, NULL, err);

	if (rc == 0)
		show(ctx, &o);
	outcome_done_with(&o);
	return rc;
}

static int
connect(struct looker *l, const struct job *job, struct err *err)
{
	struct buf schema;

	buf_init(&schema, 1024);
	quote_ident(&schema, job->state_schema);
	l->schema = xstrdup(buf_str(&schema));
	buf_done(&schema);
	l->state = (struct state){.schema = l->schema};
	return pg_open(&l->state.pg, &job->connection, err);
}

static void
disconnect(struct looker *l)
{
	pg_close(l->state.pg);
	free(l->schema);
}

int
status_run(const struct status_options *o, status_fn show, void *ctx,
	struct err *err)
{
	struct looker l = {.o = o};
	int rc = connect(&l, &o->job, err);

	if (rc == 0)
		rc = o->watch ? watch_until_stopped(&l, show, ctx, err)
			      : look_once(&l, show, ctx, err);
	disconnect(&l);
	return rc < 0 ? -1 : ERR_NONE;
}

/* -- pausing --------------------------------------------------------------- */

struct switching {
	run_pause_fn fn;
	void *ctx;
	bool any;
};

static void
switched(void *ctx, const struct run_pause *p)
{
	struct switching *s = ctx;

	s->any = true;
	s->fn(s->ctx, p);
}

int
status_switch_pause(const struct job *job, int64_t run, bool pause,
	run_pause_fn fn, void *ctx, struct err *err)
{
	struct switching s = {fn, ctx, false};
	struct looker l = {0};
	bool found = false;
	int rc = -1;

	if (connect(&l, job, err) < 0 ||
		state_find_schema(&found, &l.state, err) < 0)
		goto out;
	if (found &&
		state_switch_pause(&l.state, run, pause, switched, &s, err) < 0)
		goto out;
	rc = s.any ? 0 : err_set(err, ERR_USAGE, "no run is open");
	if (!s.any && run > 0)
		rc = err_set(
			err, ERR_USAGE, "run %lld is not open", (long long)run);
	if (!s.any)
		err_hint(err, "pgrekey status --runs lists all runs");
out:
	disconnect(&l);
	return rc;
}
