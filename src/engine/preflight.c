/*
 * What can be known before the first write.
 */
#include "cell_int.h"
#include "engine_int.h"
#include "log.h"

#define CANARY_ROWS 10
#define CANARY_MS 60000

/* Adds the rows that would be rewritten. */
static int
add_rows(struct batch *b, struct judge *j, const struct window *win,
	const struct leaf *leaf, struct buf *fresh, struct err *err)
{
	struct change change[TARGET_COLUMNS_MAX];
	struct judgement v;

	for (size_t r = 0; r < win->rows; r++) {
		bool any = false;

		memset(change, 0, sizeof(change));
		for (size_t i = 0; i < win->columns && !any; i++) {
			const struct cell *c = &win->cell[r * win->columns + i];

			if (!c->present)
				continue;
			if (judge_cell(&v, j, leaf, win, r * win->columns + i,
				    err) < 0)
				return -1;
			any = v.rewrite;
			if (!any)
				continue;
			buf_reset(fresh);
			buf_add(fresh, v.fresh.ptr, v.fresh.len);
			change[i].old = window_value(win, c);
			change[i].fresh = buf_slice(fresh);
			change[i].clear = v.clear;
		}
		if (any)
			batch_add(b, win->tid[r], change, r);
	}
	return 0;
}

/* *why is empty, or says why the server would not take them. */
static int
send_rows(struct rows *r, struct pg *pg, struct batch *b,
	const struct write_options *o, struct err *why, struct err *err)
{
	const struct range all = {{0, 0}, {UINT32_MAX, 0}};

	*why = (struct err){0};
	if (rows_send(r, pg, b, &all, o, err) < 0)
		return -1;
	if (rows_wait(r, pg, b, o, why) == 0)
		*why = (struct err){0};
	return 0;
}

/* Does one of the rows go by itself? Then what refuses another, in whatever
 * words, is a trigger of that one. */
static int
one_goes(bool *ret, struct rows *r, struct pg *pg, const struct batch *b,
	const struct write_options *o, struct err *err)
{
	struct batch one;
	struct err why;
	int rc = 0;

	*ret = false;
	batch_init(&one, b->columns);
	for (size_t i = 0; i < b->rows && rc == 0 && !*ret; i++) {
		batch_slice(&one, b, i, 1);
		rc = send_rows(r, pg, &one, o, &why, err);
		*ret = why.code == ERR_NONE;
	}
	batch_done(&one);
	return rc;
}

static int
try_rows(struct rows *r, struct pg *pg, struct batch *b,
	const struct write_options *o, struct err *refusal, struct err *err)
{
	struct err why;
	bool goes;

	if (send_rows(r, pg, b, o, &why, err) < 0)
		return -1;
	if (why.code == ERR_NONE)
		return 0;
	switch (pg_classify(&why)) {
	case PG_CLASS_DATA:
	case PG_CLASS_FENCE:
		*refusal = why;
		return 0;
	case PG_CLASS_RETRY:
	case PG_CLASS_LOCK:
		return 0; /* the rows are in use: nothing learnt */
	case PG_CLASS_FATAL:
		if (one_goes(&goes, r, pg, b, o, err) < 0)
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
	return err_in(
		err, "trial write to %s, rolled back", rows_leaf(r)->name);
}

int
preflight_canary(struct engine *e, struct pg *pg, const struct leaf *leaf,
	struct err *refusal, struct err *err)
{
	struct rows *r = engine_rows(e, leaf);
	/* A trigger may wait for a lock, and others for the rows meanwhile. */
	struct write_options options = {
		.skip_locked = true,
		.lock_timeout_ms = e->lock_ms,
		.statement_timeout_ms = CANARY_MS,
	};
	struct judge *judge = NULL;
	struct window win;
	struct batch batch;
	struct buf bytes, fresh;
	int rc = -1;

	*refusal = (struct err){0};
	window_bytes_init(&bytes);
	window_init(&win, &bytes);
	batch_init(&batch, leaf->conf->columns);
	buf_init(&fresh, (size_t)1 << 30);
	if (judge_new(&judge, &e->judge, err) < 0 ||
		rows_first(&win, r, pg, CANARY_ROWS, err) < 0 ||
		add_rows(&batch, judge, &win, leaf, &fresh, err) < 0)
		goto out;
	rc = 0;
	if (batch.rows > 0)
		rc = try_rows(r, pg, &batch, &options, refusal, err);
out:
	judge_free(judge);
	buf_done(&fresh);
	batch_done(&batch);
	window_done(&win);
	buf_done(&bytes);
	rows_free(r);
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
		if (check_lengths(e, pg, leaf, err) < 0)
			return -1;
		if (!has_work[i])
			continue;
		if (preflight_canary(e, pg, leaf, &refusal, err) < 0)
			return -1;
		if (refusal.code != ERR_NONE)
			log_warning("%s: a trial write was refused: %s; rows "
				    "like these will be listed",
				leaf->name, refusal.msg);
	}
	return 0;
}
