/*
 * The verification as a whole: wait for writers, take one snapshot, let the
 * readers read under it, conclude.
 */
#include "clock.h"
#include "verify_int.h"
#include <stdio.h>
#include <stdlib.h>

/* -- what there is to read ------------------------------------------------- */

static size_t
skip_unselected(const struct verify *v, size_t leaf)
{
	while (leaf < v->catalog.leaves &&
		!job_selects(&v->o->job, v->catalog.leaf[leaf].target))
		leaf++;
	return leaf;
}

bool
verify_next(struct unit *ret, struct verify *v)
{
	bool found;

	pthread_mutex_lock(&v->mutex);
	v->leaf = skip_unselected(v, v->leaf);
	found = v->leaf < v->catalog.leaves;
	if (found) {
		int64_t end = v->block + UNIT_BLOCKS;
		bool last = v->o->sample > 0 || end >= v->blocks[v->leaf];

		/* Where each unit has its own snapshot, the leaf may have
		 * grown. */
		*ret = (struct unit){
			.leaf = &v->catalog.leaf[v->leaf],
			.limited = v->limited[v->leaf],
			.range = {{(uint32_t)v->block, 0},
				{last ? UINT32_MAX : (uint32_t)end, 0}},
			.blocks = last ? v->blocks[v->leaf] - v->block
				       : UNIT_BLOCKS,
		};
		v->block = last ? 0 : end;
		v->leaf += last;
	}
	pthread_mutex_unlock(&v->mutex);
	return found;
}

static int
measure(struct verify *v, struct pg *pg, struct err *err)
{
	const struct leaf *leaf;

	v->blocks = xcalloc(v->catalog.leaves + 1, sizeof(*v->blocks));
	v->limited = xcalloc(v->catalog.leaves + 1, sizeof(*v->limited));
	for (size_t i = 0; i < v->catalog.leaves; i++) {
		if (!job_selects(&v->o->job, v->catalog.leaf[i].target))
			continue;
		leaf = &v->catalog.leaf[i];
		if (rows_blocks(&v->blocks[i], pg, leaf, err) < 0 ||
			rows_may_be_oversize(&v->limited[i], pg, leaf, err) < 0)
			return -1;
		/* Later snapshots may have what is not there yet. */
		v->limited[i] |= v->o->snapshot_range;
		v->all_blocks += v->blocks[i];
	}
	return 0;
}

/* -- the snapshot ---------------------------------------------------------- */

static bool
is_stopping(void *ctx)
{
	struct verify *v = ctx;

	return stop_requested(&v->stop);
}

/* Transactions that wrote before, and are not in the snapshot. */
static int
wait_for_writers(struct verify *v, struct pg *pg, struct err *err)
{
	struct fence_wait wait = {v->o->job.wait_ms, is_stopping, v};
	struct state s = {.pg = pg};
	struct selection sel = {0};
	int rc;

	if (v->catalog.standby)
		return state_fence_standby(&s, &wait, v->ret->writers, err);
	sel.oid = xcalloc(v->catalog.leaves + 1, sizeof(*sel.oid));
	for (size_t i = 0; i < v->catalog.leaves; i++) {
		if (job_selects(&v->o->job, v->catalog.leaf[i].target))
			sel.oid[sel.count++] = v->catalog.leaf[i].oid;
	}
	rc = state_fence(&s, &sel, &wait, v->ret->writers, err);
	free(sel.oid);
	return rc;
}

/* The leaves are listed inside the snapshot: a partition that came between
 * would be missed. Snapshots per range are for tables where one would be held
 * for too long, so none is held here either. */
static int
take_snapshot(struct verify *v, struct pg *pg, struct err *err)
{
	const struct job *job = &v->o->job;

	if (!v->o->snapshot_range && snapshot_take(v->snapshot, pg, err) < 0)
		return -1;
	catalog_done(&v->catalog);
	return catalog_load(
		&v->catalog, pg, job->target, job->targets, CATALOG_READ, err);
}

int
verify_shows(struct pg *pg, const struct leaf *leaf, struct err *err)
{
	bool shown;

	if (snapshot_shows(&shown, pg, leaf, err) < 0)
		return -1;
	if (shown)
		return 0;
	err_set(err, ERR_DB,
		"%s was rewritten, truncated or replaced behind the snapshot, "
		"which shows it empty now",
		leaf->name);
	return err_hint(err, "run it again");
}

void
verify_blame(struct pg *pg, const struct leaf *leaf, struct err *err)
{
	if (!catalog_gone_is_why(pg, err, &leaf->oid, 1))
		return;
	err_set(err, ERR_DB, "%s was dropped before it was looked at",
		leaf->name);
	err_hint(err, "run it again");
}

/* -- the readers ----------------------------------------------------------- */

/* Main is the one that looks, through this connection, or NULL: no more. */
static void
set_looking(struct verify *v, struct pg *pg)
{
	pthread_mutex_lock(&v->mutex);
	v->looking = pg;
	pthread_mutex_unlock(&v->mutex);
	atomic_store(&v->stop.at_once, pg != NULL);
}

static void
cancel_all(void *ctx)
{
	struct verify *v = ctx;

	pthread_mutex_lock(&v->mutex);
	if (v->looking)
		pg_cancel(v->looking);
	for (size_t i = 0; i < v->readers; i++) {
		struct reader *r = &v->reader[i];

		pthread_mutex_lock(&r->mutex);
		if (r->pg)
			pg_cancel(r->pg);
		pthread_mutex_unlock(&r->mutex);
	}
	pthread_mutex_unlock(&v->mutex);
}

static bool
ask_progress(struct progress *ret, void *ctx)
{
	struct verify *v = ctx;

	pthread_mutex_lock(&v->mutex);
	*ret = (struct progress){
		.blocks = v->all_blocks > 0 ? v->all_blocks : 1,
		.done = v->read_blocks,
		.values = v->values,
	};
	if (v->leaf < v->catalog.leaves)
		snprintf(ret->table, sizeof(ret->table), "%s",
			v->catalog.leaf[v->leaf].name);
	pthread_mutex_unlock(&v->mutex);
	return true;
}

static int
start_readers(struct verify *v, struct err *err)
{
	for (int64_t i = 0; i < v->o->workers; i++) {
		struct reader *r = &v->reader[i];
		int rc = reader_init(r, v, err);

		pthread_mutex_lock(&v->mutex);
		v->readers++;
		pthread_mutex_unlock(&v->mutex);
		if (rc < 0 || crew_start(&v->crew, reader_main, r, err) < 0)
			return -1;
	}
	return 0;
}

static int
read_all(struct verify *v, struct err *err)
{
	struct watch watch = {
		.crew = &v->crew,
		.stop = &v->stop,
		.quiet = v->o->job.quiet,
		.ask = ask_progress,
		.ctx = v,
	};
	int rc;

	v->reader = xcalloc((size_t)v->o->workers, sizeof(*v->reader));
	rc = start_readers(v, err);
	if (rc < 0)
		verify_fail(v, err);
	progress_watch(&watch);
	crew_join(&v->crew);
	for (size_t i = 0; i < v->readers; i++)
		reader_merge(&v->reader[i]);
	pthread_mutex_lock(&v->mutex);
	while (v->readers > 0)
		reader_done(&v->reader[--v->readers]);
	free(v->reader);
	v->reader = NULL;
	pthread_mutex_unlock(&v->mutex);
	if (v->failed)
		*err = v->err;
	return v->failed ? -1 : rc;
}

/* -- what follows ---------------------------------------------------------- */

static int
conclude(struct verify *v)
{
	const struct verify_options *o = v->o;
	struct verify_outcome *ret = v->ret;
	int64_t needed = ret->unread;

	if (stop_requested(&v->stop))
		return outcome_stopped(&ret->facts, "stopped early");
	/* Everything was seen at one moment, and nobody had more to say. */
	ret->facts.complete = !o->quick && o->sample <= 0 &&
			      !o->snapshot_range && !ret->writers[0];
	for (size_t i = 0; i < o->retires; i++)
		needed += ret->retired[i];
	if (o->retires > 0 ? needed > 0 : ret->facts.total_findings > 0)
		return ERR_FINDINGS;
	return ret->facts.complete ? ERR_NONE : ERR_INCONCLUSIVE;
}

static int
look(struct verify *v, struct pg *pg, struct err *err)
{
	const struct job *job = &v->o->job;

	set_looking(v, pg);
	if (job_tell_locked(job, pg, err) < 0 ||
		catalog_load(&v->catalog, pg, job->target, job->targets,
			CATALOG_READ, err) < 0 ||
		wait_for_writers(v, pg, err) < 0)
		return -1;
	v->ret->standby = v->catalog.standby;
	if (take_snapshot(v, pg, err) < 0 ||
		job_check_leaves(job, &v->catalog, err) < 0 ||
		measure(v, pg, err) < 0)
		return -1;
	if (v->o->quick && verify_quick(v, pg, err) < 0)
		return -1;
	set_looking(v, NULL);
	if (!v->o->quick && !stop_requested(&v->stop) && read_all(v, err) < 0)
		return -1;
	if (!v->o->snapshot_range && pg_exec(pg, "COMMIT", err) < 0)
		return -1;
	return conclude(v);
}

static void
verify_init(struct verify *v, struct verify_outcome *ret,
	const struct verify_options *o)
{
	*v = (struct verify){.o = o, .ret = ret, .started_ms = clock_ms()};
	*ret = (struct verify_outcome){0};
	outcome_init(&ret->facts, &o->job);
	pthread_mutex_init(&v->mutex, NULL);
	crew_init(&v->crew, (size_t)o->workers);
	v->stop.most_ms = o->job.max_runtime_ms;
	v->watch = xcalloc(o->job.ring->count + 1, sizeof(*v->watch));
	for (size_t i = 0; i < o->retires; i++)
		v->watch[o->retire[i]] |= UINT32_C(1) << i;
}

static void
verify_done(struct verify *v)
{
	catalog_done(&v->catalog);
	crew_done(&v->crew);
	pthread_mutex_destroy(&v->mutex);
	free(v->blocks);
	free(v->limited);
	free(v->watch);
}

int
verify_run(struct verify_outcome *ret, const struct verify_options *o,
	struct err *err)
{
	struct pg *pg = NULL;
	struct verify v;
	int status = -1;

	verify_init(&v, ret, o);
	if (stop_start(&v.stop, cancel_all, &v, err) < 0) {
		verify_done(&v);
		return -1;
	}
	if (job_connect(&pg, &o->job, &v.stop, err) == 0)
		status = look(&v, pg, err);
	set_looking(&v, NULL);
	if (status < 0 && !v.failed && stop_cut_short(&v.stop, err))
		status = outcome_stopped(&ret->facts, "stopped early");
	outcome_finish(&ret->facts, v.started_ms);
	pg_close(pg);
	stop_end(&v.stop);
	verify_done(&v);
	return status;
}
