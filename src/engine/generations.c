/*
 * Generations of workers. One ends when the run is over, when the leaves have
 * changed, or when one of them turns out to be lost: then the next one goes on
 * with the others.
 */
#include "engine_int.h"
#include "fail_point.h"
#include "log.h"
#include <stdlib.h>
#include <string.h>

/* -- the leaves ------------------------------------------------------------ */

int
generations_load(struct engine *e, struct pg *pg, struct err *err)
{
	catalog_done(&e->catalog);
	if (catalog_load(&e->catalog, pg, e->o->job.target, e->o->job.targets,
		    CATALOG_WRITE, err) < 0 ||
		job_check_leaves(&e->o->job, &e->catalog, err) < 0)
		return -1;
	free(e->selection.oid);
	e->selection.count = 0;
	e->selection.oid =
		xcalloc(e->catalog.leaves, sizeof(*e->selection.oid));
	e->partial = job_is_partial(&e->o->job);
	for (size_t i = 0; i < e->catalog.leaves; i++) {
		const struct leaf *leaf = &e->catalog.leaf[i];

		if (engine_selects(e, leaf))
			e->selection.oid[e->selection.count++] = leaf->oid;
	}
	return 0;
}

int
generations_open(
	bool *joined, struct engine *e, struct state *s, struct err *err)
{
	for (int attempt = 1; state_open_run(s, &e->spec, joined, err) < 0;
		attempt++) {
		if (!tend_again(e, s, attempt, err))
			return -1;
	}
	if (s->left[0])
		log_warning("%s", s->left);
	if (e->run != s->run)
		strays_forget(&e->strays);
	e->run = s->run;
	e->opener = s->opener;
	return 0;
}

bool
generations_changed(struct engine *e, struct pg *pg, const struct err *why)
{
	if (catalog_gone_is_why(pg, why, e->selection.oid, e->selection.count))
		return true;
	return why->code == ERR_DB && !strcmp(why->sqlstate, CATALOG_GONE);
}

/* -- one generation -------------------------------------------------------- */

/* Only a proof: a batch ends by itself, and is worth its end. Of a proof
 * nothing is kept that did not see all. */
static void
hurry(void *ctx)
{
	struct engine *e = ((struct tend *)ctx)->e;

	for (int64_t i = 0; i < e->workers; i++) {
		struct worker *w = &e->worker[i];

		pthread_mutex_lock(&w->mutex);
		if (w->proves && w->pg)
			pg_cancel(w->pg);
		pthread_mutex_unlock(&w->mutex);
	}
}

static int
start_worker(struct engine *e, struct worker *w, struct err *err)
{
	if (worker_init(w, e, err) < 0) {
		worker_done(w);
		return -1;
	}
	pthread_mutex_lock(&e->mutex);
	e->workers++;
	pthread_mutex_unlock(&e->mutex);
	return crew_start(&e->crew, worker_main, w, err);
}

static void
join_workers(struct engine *e)
{
	crew_join(&e->crew);
	/* From here on no signal reaches their connections. */
	pthread_mutex_lock(&e->mutex);
	while (e->workers > 0)
		worker_done(&e->worker[--e->workers]);
	free(e->worker);
	e->worker = NULL;
	pthread_mutex_unlock(&e->mutex);
}

/* One generation of workers: until the run is over, or the leaves change. */
static int
run_workers(struct engine *e, struct state *s, struct err *err)
{
	struct tend tend = {e, s};
	struct watch watch = {
		.crew = &e->crew,
		.stop = &e->stop,
		.quiet = e->o->job.quiet,
		.ask = tend_progress,
		.ctx = &tend,
		.tick = tend_workers,
		.hurry = hurry,
	};
	int rc = 0;

	e->end = END_NONE;
	e->worker = xcalloc((size_t)e->o->workers, sizeof(*e->worker));
	for (int64_t i = 0; i < e->o->workers && rc == 0; i++)
		rc = start_worker(e, &e->worker[i], err);
	if (rc < 0)
		stop_request(&e->stop, STOP_SOON);
	progress_watch(&watch);
	join_workers(e);
	return rc;
}

/* -- from one to the next ---------------------------------------------------
 */

/* Partitions that appeared join the run; then it goes on with all of them, or
 * another one does, where somebody else has finished ours meanwhile. */
static int
relist(struct engine *e, struct state *s, struct err *err)
{
	bool joined;

	/* Who is in it now came later, or is a session of ours that ends. */
	e->spec.no_join = false;
	if (tend_connection(e, s, err) < 0)
		return -1;
	for (int attempt = 1; generations_load(e, s->pg, err) < 0; attempt++) {
		if (!tend_again(e, s, attempt, err))
			return -1;
	}
	return generations_open(&joined, e, s, err);
}

/* Is it still one of those that are configured? A partition may be dropped. */
static bool
is_wanted(struct engine *e, struct pg *pg, uint32_t leaf)
{
	struct catalog now = {0};
	struct err ignored;
	bool ret;

	ret = catalog_load(&now, pg, e->o->job.target, e->o->job.targets,
		      CATALOG_WRITE, &ignored) < 0 ||
	      catalog_find(&now, leaf);
	catalog_done(&now);
	return ret;
}

/* A leaf is given up; the others go on. What of it is left to do stays in the
 * run, and nothing is proven. */
static void
lose_leaf(struct engine *e)
{
	struct selection *all = &e->selection;
	size_t kept = 0;

	for (size_t i = 0; i < all->count; i++) {
		if (all->oid[i] != e->leaf)
			all->oid[kept++] = all->oid[i];
	}
	all->count = kept;
	if (e->lost++ == 0)
		e->why = e->err;
	if (!e->why.hint[0])
		err_hint(&e->why, "nothing is proven without this table; the "
				  "same command goes on with it");
	if (kept > 0)
		log_warning("%s; the other tables go on", e->err.msg);
}

static int
go_on(struct engine *e, struct state *s, struct err *err)
{
	if (e->end == END_RELIST)
		return relist(e, s, err);
	if (tend_connection(e, s, err) < 0)
		return -1;
	if (!is_wanted(e, s->pg, e->leaf))
		return relist(e, s, err);
	lose_leaf(e);
	if (e->selection.count > 0)
		return 0;
	*err = e->why;
	return -1;
}

int
generations_work(struct engine *e, struct state *s, struct err *err)
{
	do {
		if (run_workers(e, s, err) < 0)
			return -1;
		FAIL_POINT(workers_ended);
		if (stop_requested(&e->stop))
			break;
		if ((e->end == END_RELIST || e->end == END_LEAF) &&
			go_on(e, s, err) < 0)
			return -1;
	} while (e->end == END_RELIST || e->end == END_LEAF);
	if (e->end == END_FAILED) {
		*err = e->err;
		return -1;
	}
	return 0;
}
