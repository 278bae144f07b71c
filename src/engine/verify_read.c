/*
 * A reader: takes block ranges, opens every value in them, counts, and notes
 * what is not as it should be. Shares nothing with the others but the list of
 * what is still to be read.
 */
#include "verify_int.h"
#include <stdlib.h>

int
reader_init(struct reader *r, struct verify *v, struct err *err)
{
	const struct job *job = &v->o->job;
	struct judge_options judge = {
		.ring = job->ring,
		.run_start = UINT64_MAX,
		.watch = v->watch,
	};

	*r = (struct reader){.v = v};
	pthread_mutex_init(&r->mutex, NULL);
	r->tally = tally_table_new(job->target, job->targets);
	if (judge_new(&r->judge, &judge, err) < 0 ||
		pg_open(&r->pg, &job->connection, err) < 0)
		return -1;
	return v->snapshot[0] ? snapshot_share(r->pg, v->snapshot, err) : 0;
}

void
reader_done(struct reader *r)
{
	const struct job *job = &r->v->o->job;
	struct pg *pg = r->pg;

	pthread_mutex_lock(&r->mutex);
	r->pg = NULL;
	pthread_mutex_unlock(&r->mutex);
	pg_close(pg);
	judge_free(r->judge);
	tally_table_free(r->tally, job->target, job->targets);
	for (size_t i = 0; i < r->findings; i++)
		finding_done(&r->finding[i]);
	free(r->finding);
	free(r->tid);
	pthread_mutex_destroy(&r->mutex);
}

/* -- one value ------------------------------------------------------------- */

static void
keep_finding(struct reader *r, const struct judgement *j, size_t column,
	struct tid tid)
{
	const struct leaf *leaf = r->unit.leaf;

	if ((int64_t)r->findings >= r->v->o->job.max_findings)
		return;
	r->finding =
		xrealloc(r->finding, (r->findings + 1) * sizeof(*r->finding));
	r->tid = xrealloc(r->tid, (r->findings + 1) * sizeof(*r->tid));
	r->tid[r->findings] = tid;
	r->finding[r->findings++] = (struct finding){
		.leaf = leaf->oid,
		.target = leaf->target,
		.table = xstrdup(leaf->name),
		.column = xstrdup(leaf->column[column].name),
		.verdict = verdict_name(j->verdict),
		.reason = xstrdup(j->what ? j->what : ""),
		.keys = j->unread ? UINT32_MAX : j->watched,
	};
}

/* Is this a value that somebody should know of? Where the question is whether
 * keys may go, only what needs them or may need them. */
static bool
is_finding(const struct reader *r, const struct judgement *j)
{
	if (r->v->o->retires > 0)
		return j->watched != 0 || j->unread;
	return j->rewrite || j->blocks;
}

static void
note_value(struct reader *r, const struct judgement *j, size_t column,
	struct tid tid)
{
	tally_judged(
		&r->tally[r->unit.leaf->target][column], j, r->v->o->job.ring);
	r->unread += j->unread;
	for (size_t i = 0; j->watched != 0 && i < r->v->o->retires; i++)
		r->retired[i] += j->watched >> i & 1;
	if (!is_finding(r, j))
		return;
	r->attention++;
	keep_finding(r, j, column, tid);
}

static bool
read_row(void *ctx, const struct window *row)
{
	struct reader *r = ctx;
	const struct leaf *leaf = r->unit.leaf;
	struct judgement j;

	for (size_t i = 0; i < row->columns; i++) {
		if (!row->cell[i].present) {
			r->tally[leaf->target][i].verdict[VERDICT_NULL]++;
			continue;
		}
		r->rc = judge_cell(&j, r->judge, leaf, row, i, &r->err);
		if (r->rc < 0)
			return false;
		note_value(r, &j, i, row->tid[0]);
	}
	return !stop_requested(&r->v->stop);
}

/* -- one unit -------------------------------------------------------------- */

/* Names the rows found in this unit, in the snapshot that showed them. */
static int
name_rows(struct reader *r, struct rows *rows)
{
	for (; r->named < r->findings; r->named++) {
		char *row;

		if (rows_identity(
			    &row, rows, r->pg, r->tid[r->named], &r->err) < 0)
			return -1;
		r->finding[r->named].row = row;
	}
	return 0;
}

static int
read_rows(struct reader *r, struct rows *rows)
{
	struct copy_range part = {
		.range = r->v->o->sample > 0 ? NULL : &r->unit.range,
		.sample = r->v->o->sample,
		.limited = r->unit.limited,
	};

	r->rc = 0;
	if (!r->v->snapshot[0] && snapshot_share(r->pg, "", &r->err) < 0)
		return -1;
	if (rows_copy(rows, r->pg, &part, read_row, r, &r->err) < 0 ||
		r->rc < 0 || name_rows(r, rows) < 0 ||
		verify_shows(r->pg, r->unit.leaf, &r->err) < 0)
		return -1;
	return r->v->snapshot[0] ? 0 : pg_exec(r->pg, "COMMIT", &r->err);
}

static int
read_unit(struct reader *r)
{
	struct rows_options options = {.everything = true};
	struct rows *rows = rows_new(r->unit.leaf, &options);
	int rc = read_rows(r, rows);

	rows_free(rows);
	return rc;
}

void
verify_fail(struct verify *v, const struct err *err)
{
	pthread_mutex_lock(&v->mutex);
	/* Who was stopped has not failed. */
	if (!v->failed && !stop_requested(&v->stop)) {
		v->failed = true;
		v->err = *err;
	}
	pthread_mutex_unlock(&v->mutex);
	stop_request(&v->stop, STOP_SOON);
}

static int64_t
values_of(const struct reader *r, const struct leaf *leaf)
{
	int64_t sum = 0;

	for (size_t i = 0; i < leaf->conf->columns; i++)
		sum += tally_scanned(&r->tally[leaf->target][i]);
	return sum;
}

void *
reader_main(void *ctx)
{
	struct reader *r = ctx;
	struct verify *v = r->v;

	while (!stop_requested(&v->stop) && verify_next(&r->unit, v)) {
		int64_t before = values_of(r, r->unit.leaf);

		if (read_unit(r) < 0) {
			if (stop_requested(&v->stop))
				break;
			verify_blame(r->pg, r->unit.leaf, &r->err);
			verify_fail(v, &r->err);
			break;
		}
		pthread_mutex_lock(&v->mutex);
		v->read_blocks += r->unit.blocks;
		v->values += values_of(r, r->unit.leaf) - before;
		pthread_mutex_unlock(&v->mutex);
	}
	/* Its locks would hold up who waits for them, and through the lock
	 * queue the other readers, for which this one would wait. */
	if (v->snapshot[0] && !stop_requested(&v->stop) &&
		pg_exec(r->pg, "COMMIT", &r->err) < 0)
		verify_fail(v, &r->err);
	crew_leave(&v->crew);
	return NULL;
}

void
reader_merge(struct reader *r)
{
	struct verify_outcome *ret = r->v->ret;
	const struct job *job = &r->v->o->job;

	for (size_t t = 0; t < job->targets; t++) {
		for (size_t c = 0; c < job->target[t].columns; c++)
			tally_merge(&ret->facts.tally[t][c], &r->tally[t][c]);
	}
	for (size_t i = 0; i < r->v->o->retires; i++)
		ret->retired[i] += r->retired[i];
	ret->unread += r->unread;
	ret->facts.total_findings += r->attention;
	for (size_t i = 0; i < r->findings; i++) {
		if ((int64_t)ret->facts.findings < job->max_findings &&
			r->finding[i].row)
			outcome_add_finding(&ret->facts, &r->finding[i]);
	}
}
