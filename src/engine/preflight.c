/*
 * What can be known before the first write.
 */
#include "cell_int.h"
#include "engine_int.h"
#include "log.h"

#define CANARY_ROWS 10
#define PATIENCE_MS 60000

/* Adds the rows that would be rewritten, with all their columns. */
static int
add_rows(struct batch *b, const struct row_judge *by, const struct window *win,
	struct err *err)
{
	struct fresh_row fresh;

	for (size_t r = 0; r < win->rows; r++) {
		if (judge_row(&fresh, by, win, r, err) < 0)
			return -1;
		if (fresh.any)
			batch_add(b, win->tid[r], fresh.change, r);
	}
	return 0;
}

/* A write that is rolled back. */
struct trial {
	struct rows *rows;
	struct pg *pg;
	struct window win;
	struct batch batch;
	struct write_options options;
};

/* *why is empty, or says why the server would not take them. */
static int
send_rows(struct trial *t, struct batch *b, struct err *why, struct err *err)
{
	const struct range all = {{0, 0}, {UINT32_MAX, 0}};

	*why = (struct err){0};
	if (rows_send(t->rows, t->pg, b, &all, &t->options, err) < 0)
		return -1;
	if (rows_wait(t->rows, t->pg, b, &t->options, why) == 0)
		*why = (struct err){0};
	return 0;
}

/* Does one of the rows go by itself? Then what refuses another, in whatever
 * words, is a trigger of that one. */
static int
one_goes(bool *ret, struct trial *t, struct err *err)
{
	struct batch one;
	struct err why;
	int rc = 0;

	*ret = false;
	batch_init(&one, t->batch.columns);
	for (size_t i = 0; i < t->batch.rows && rc == 0 && !*ret; i++) {
		batch_slice(&one, &t->batch, i, 1);
		rc = send_rows(t, &one, &why, err);
		*ret = why.code == ERR_NONE;
	}
	batch_done(&one);
	return rc;
}

/* Row i was not written though nothing refused it. If it is there and nobody
 * holds it, it is tried once more: who held it may just have let go. */
static int
is_suppressed(bool *ret, struct trial *t, size_t i, struct err *err)
{
	struct tid tid = t->win.tid[t->batch.origin[i]];
	enum row_presence presence;
	struct batch one;
	struct err why;
	int rc;

	*ret = false;
	if (rows_presence(&presence, t->rows, t->pg, tid, err) < 0)
		return -1;
	if (presence != ROW_FREE)
		return 0;
	batch_init(&one, t->batch.columns);
	batch_slice(&one, &t->batch, i, 1);
	rc = send_rows(t, &one, &why, err);
	if (rc == 0 && why.code == ERR_NONE && !one.took[0])
		rc = rows_presence(&presence, t->rows, t->pg, tid, err);
	else
		presence = ROW_GONE;
	*ret = presence == ROW_FREE;
	batch_done(&one);
	return rc;
}

static int
look_for_suppressed(struct trial *t, struct err *refusal, struct err *err)
{
	bool suppressed = false;

	for (size_t i = 0; i < t->batch.rows && !suppressed; i++) {
		if (!t->batch.took[i] &&
			is_suppressed(&suppressed, t, i, err) < 0)
			return -1;
	}
	if (suppressed)
		(void)!err_set(refusal, ERR_DB, ROW_SUPPRESSED);
	return 0;
}

/* All of them took too long, or are in use: a single one may have its time, if
 * that is what its triggers need. */
static int
try_first(struct trial *t, struct err *refusal, struct err *err)
{
	struct batch one;
	struct err why;
	int rc;

	t->options.statement_timeout_ms = PATIENCE_MS;
	batch_init(&one, t->batch.columns);
	batch_slice(&one, &t->batch, 0, 1);
	rc = send_rows(t, &one, &why, err);
	if (rc == 0 && why.code != ERR_NONE &&
		(pg_classify(&why) == PG_CLASS_DATA ||
			pg_classify(&why) == PG_CLASS_FENCE))
		*refusal = why;
	batch_done(&one);
	return rc;
}

static int
try_rows(struct trial *t, struct err *refusal, struct err *err)
{
	struct err why;
	bool goes;

	if (send_rows(t, &t->batch, &why, err) < 0)
		return -1;
	if (why.code == ERR_NONE)
		return look_for_suppressed(t, refusal, err);
	switch (pg_classify(&why)) {
	case PG_CLASS_DATA:
	case PG_CLASS_FENCE:
		*refusal = why;
		return 0;
	case PG_CLASS_LOCK:
		return try_first(t, refusal, err);
	case PG_CLASS_RETRY:
		return 0; /* the rows are in use: nothing learnt */
	case PG_CLASS_FATAL:
		if (one_goes(&goes, t, err) < 0)
			return -1;
		if (!goes)
			break;
		*refusal = why;
		return 0;
	case PG_CLASS_LOST:
	case PG_CLASS_FULL:
		break;
	}
	*err = why;
	/* The privileges on the table itself were looked at before. */
	if (!strcmp(err->sqlstate, "42501"))
		err_hint(err, "a trigger runs with the rights of this role; "
			      "the server's log says which one it lacks");
	return err_in(err, "trial write to %s, rolled back",
		rows_leaf(t->rows)->name);
}

int
preflight_canary(struct engine *e, struct pg *pg, const struct leaf *leaf,
	struct err *refusal, struct err *err)
{
	struct trial t = {
		.rows = engine_rows(e, leaf),
		.pg = pg,
		/* As any batch: a trigger may wait for a lock, and others for
		 * the rows meanwhile. */
		.options =
			{
				.skip_locked = true,
				.lock_timeout_ms = e->lock_ms,
				.statement_timeout_ms = e->statement_ms,
			},
	};
	struct row_judge by = {.leaf = leaf};
	struct buf bytes, fresh;
	int rc = -1;

	*refusal = (struct err){0};
	window_bytes_init(&bytes);
	window_init(&t.win, &bytes);
	batch_init(&t.batch, leaf->conf->columns);
	buf_init(&fresh, (size_t)1 << 30);
	by.bytes = &fresh;
	if (judge_new(&by.judge, &e->judge, err) == 0 &&
		rows_first(&t.win, t.rows, pg, CANARY_ROWS, err) == 0 &&
		add_rows(&t.batch, &by, &t.win, err) == 0)
		rc = t.batch.rows > 0 ? try_rows(&t, refusal, err) : 0;
	judge_free(by.judge);
	buf_done(&fresh);
	batch_done(&t.batch);
	window_done(&t.win);
	buf_done(&bytes);
	rows_free(t.rows);
	return rc;
}

static int
check_lengths(struct engine *e, struct pg *pg, const struct leaf *leaf,
	struct err *err)
{
	struct rows *r = engine_rows(e, leaf);
	int rc = rows_check_lengths(r, pg, NULL, err);

	rows_free(r);
	return rc;
}

int
preflight(
	struct engine *e, struct pg *pg, const bool *has_work, struct err *err)
{
	struct err refusal;

	if (pressure_check(NULL, pg, &e->o->limits, err) < 0)
		return -1;
	for (size_t i = 0; i < e->catalog.leaves; i++) {
		const struct leaf *leaf = &e->catalog.leaf[i];

		if (!engine_selects(e, leaf))
			continue;
		if (stop_requested(&e->stop))
			return err_set(err, ERR_STOPPED,
				"stopped before the first write");
		/* Lengths are a look at the whole of a column; a second run has
		 * one to make, in its proof. */
		if (!has_work[i])
			continue;
		if (check_lengths(e, pg, leaf, err) < 0)
			return -1;
		if (preflight_canary(e, pg, leaf, &refusal, err) < 0)
			return -1;
		if (refusal.code != ERR_NONE)
			log_warning("%s: a trial write was refused: %s; rows "
				    "like these will be listed",
				leaf->name, refusal.msg);
	}
	return 0;
}
