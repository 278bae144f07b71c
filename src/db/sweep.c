/*
 * Looking at a whole leaf: counts by the server, and every value that is not
 * current, row by row. Runs inside the caller's snapshot, with the planner's
 * defaults: a plain sequential scan uses the ring buffer and does not evict
 * the application's pages.
 */
#include "quote.h"
#include "rows_int.h"
#include "text.h"
#include <stdio.h>
#include <stdlib.h>

/* What a condition of the user's calls may write: where the caller has no
 * transaction, it gets one in which nothing can. */
static int
begin_reading(bool *ours, struct pg *pg, struct err *err)
{
	*ours = pg_is_idle(pg);
	return *ours ? pg_begin(pg, PG_READ, NULL, err) : 0;
}

/* rc: how the reading went. */
static int
end_reading(bool ours, int rc, struct pg *pg, struct err *err)
{
	if (!ours || rc == 0)
		return ours ? pg_exec(pg, "COMMIT", err) : rc;
	pg_rollback(pg);
	return rc;
}

/* The statement in r->sql: it looks at the whole leaf, so nobody hangs up. */
static int
ask(struct pg_result **ret, struct rows *r, struct pg *pg, struct err *err)
{
	bool ours;
	int rc;

	if (begin_reading(&ours, pg, err) < 0)
		return -1;
	pg_be_patient(pg, true);
	rows_begin_condition(r, pg);
	rc = pg_query(ret, pg, buf_str(&r->sql), NULL, err);
	rows_end_condition(pg);
	pg_be_patient(pg, false);
	if (rc < 0)
		(void)!rows_unread(r, err);
	return end_reading(ours, rc, pg, err);
}

/* The same, row by row. */
static int
stream(struct rows *r, struct pg *pg, pg_row_fn fn, void *ctx, struct err *err)
{
	bool ours;
	int rc;

	if (begin_reading(&ours, pg, err) < 0)
		return -1;
	pg_be_patient(pg, true);
	rows_begin_condition(r, pg);
	rc = pg_stream(pg, buf_str(&r->sql), NULL, fn, ctx, err);
	rows_end_condition(pg);
	pg_be_patient(pg, false);
	if (rc < 0)
		(void)!rows_unread(r, err);
	return end_reading(ours, rc, pg, err);
}

int
rows_count(
	struct leaf_count *ret, struct rows *r, struct pg *pg, struct err *err)
{
	struct pg_result *result;

	buf_reset(&r->sql);
	sql_count(&r->sql, &r->view);
	if (ask(&result, r, pg, err) < 0)
		return -1;
	*ret = (struct leaf_count){.rows = pg_int(result, 0, 0)};
	for (size_t i = 0; i < r->leaf->conf->columns; i++) {
		ret->nulls[i] = pg_int(result, 0, (int)(2 * i + 1));
		ret->current[i] = pg_int(result, 0, (int)(2 * i + 2));
	}
	pg_free(result);
	return 0;
}

struct sweep {
	rows_fn fn;
	void *ctx;
	struct window window;
	struct buf bytes;
};

static bool
sweep_row(void *ctx, const struct pg_result *row)
{
	struct sweep *s = ctx;

	buf_reset(&s->bytes);
	window_reset(&s->window, s->window.columns);
	window_add(&s->window, row);
	return s->fn(s->ctx, &s->window);
}

int
rows_sweep(
	struct rows *r, struct pg *pg, rows_fn fn, void *ctx, struct err *err)
{
	struct sweep s = {.fn = fn, .ctx = ctx};
	int rc;

	window_bytes_init(&s.bytes);
	window_init(&s.window, &s.bytes);
	s.window.columns = r->leaf->conf->columns;
	buf_reset(&r->sql);
	sql_read(&r->sql, &r->view, NULL);
	rc = stream(r, pg, sweep_row, &s, err);
	window_done(&s.window);
	buf_done(&s.bytes);
	return rc;
}

static bool
first_row(void *ctx, const struct pg_result *row)
{
	window_add(ctx, row);
	return true;
}

int
rows_first(struct window *ret, struct rows *r, struct pg *pg, size_t count,
	struct err *err)
{
	window_reset(ret, r->leaf->conf->columns);
	ret->range = (struct range){{0, 0}, {UINT32_MAX, 0}};
	buf_reset(&r->sql);
	buf_adds(&r->sql, "SELECT * FROM (");
	sql_read(&r->sql, &r->view, NULL);
	/* Whatever plan finds them: a window's rows are in order. */
	buf_addf(&r->sql, " LIMIT %zu) AS x ORDER BY 1", count);
	return stream(r, pg, first_row, ret, err);
}

/* -- labels ---------------------------------------------------------------- */

static void
tell_label(const struct pg_result *r, int i, label_fn fn, void *ctx)
{
	const char *text = pg_text(r, i, 0);
	struct label l = {.key = "", .values = pg_int(r, i, 1)};

	if (pg_is_null(r, i, 0)) {
		l.kind = LABEL_NULL;
	} else if (text[0] == FORMAT_LABEL_KEY) {
		l.kind = LABEL_SEALED;
		l.key = text + 1;
	} else if (text[0] == FORMAT_LABEL_PLAINTEXT) {
		l.kind = LABEL_PLAINTEXT;
	} else {
		l.kind = text[0] == FORMAT_LABEL_RAW ? LABEL_RAW : LABEL_OTHER;
	}
	fn(ctx, &l);
}

static int
run_labels(
	struct rows *r, struct pg *pg, label_fn fn, void *ctx, struct err *err)
{
	struct pg_result *result;

	if (ask(&result, r, pg, err) < 0)
		return -1;
	for (int i = 0; i < pg_rows(result); i++)
		tell_label(result, i, fn, ctx);
	pg_free(result);
	return 0;
}

int
rows_labels(struct rows *r, struct pg *pg, size_t column, label_fn fn,
	void *ctx, struct err *err)
{
	buf_reset(&r->sql);
	sql_labels(&r->sql, &r->view, column, NULL, 0);
	return run_labels(r, pg, fn, ctx, err);
}

int
rows_sample(struct rows *r, struct pg *pg, size_t column,
	const struct label_sample *sample, struct err *err)
{
	struct range place[SAMPLE_PLACES];
	size_t places =
		sample->places < SAMPLE_PLACES ? sample->places : SAMPLE_PLACES;
	int64_t blocks, last = (int64_t)places * SAMPLE_BLOCKS;

	if (rows_blocks(&blocks, pg, r->leaf, err) < 0)
		return -1;
	if (blocks <= last)
		places = 0; /* all of it */
	for (size_t i = 0; i < places; i++) {
		uint32_t at = (uint32_t)(blocks * (int64_t)i / (int64_t)places);

		place[i] = (struct range){{at, 0}, {at + SAMPLE_BLOCKS, 0}};
	}
	buf_reset(&r->sql);
	sql_labels(&r->sql, &r->view, column, place, places);
	return run_labels(r, pg, sample->fn, sample->ctx, err);
}

/* -- a glance -------------------------------------------------------------- */

#define GLANCES 8
#define GLANCE_BLOCKS 4

int
rows_blocks(
	int64_t *ret, struct pg *pg, const struct leaf *leaf, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *result;

	pg_arg_int(&args, leaf->oid);
	if (pg_query(&result, pg, "SELECT pg_catalog.pg_relation_size($1::oid)",
		    &args, err) < 0)
		return -1;
	*ret = pg_int(result, 0, 0) / BLOCK_BYTES;
	pg_free(result);
	return 0;
}

/* What both compressors can make of a value at most, rounded up. */
#define COMPRESSION_MAX 256

int
rows_may_be_oversize(
	bool *ret, struct pg *pg, const struct leaf *leaf, struct err *err)
{
	int64_t limit = (int64_t)leaf->conf->policy.max_value_bytes;
	struct pg_args args = {0};
	struct pg_result *result;
	int64_t bytes = BLOCK_BYTES; /* in the page itself */

	pg_arg_int(&args, leaf->oid);
	if (pg_query(&result, pg,
		    "SELECT coalesce(pg_catalog.pg_relation_size(nullif("
		    "c.reltoastrelid, 0::oid)), 0) FROM pg_catalog.pg_class AS "
		    "c"
		    " WHERE c.oid = $1::oid",
		    &args, err) < 0)
		return -1;
	if (pg_rows(result) > 0 && pg_int(result, 0, 0) > bytes)
		bytes = pg_int(result, 0, 0);
	pg_free(result);
	*ret = bytes > limit / COMPRESSION_MAX;
	return 0;
}

static int
glance(bool *ret, struct rows *r, struct pg *pg, struct err *err)
{
	struct pg_result *result;
	int64_t blocks;
	int rc;

	*ret = false;
	if (rows_blocks(&blocks, pg, r->leaf, err) < 0)
		return -1;
	for (int64_t i = 0; i < GLANCES && !*ret; i++) {
		uint32_t at = (uint32_t)(blocks * i / GLANCES);
		struct range range = {{at, 0}, {at + GLANCE_BLOCKS, 0}};

		buf_reset(&r->sql);
		buf_adds(&r->sql, "SELECT 1 FROM (");
		sql_read(&r->sql, &r->view, &range);
		buf_adds(&r->sql, ") AS x LIMIT 1");
		rows_begin_condition(r, pg);
		rc = pg_query(&result, pg, buf_str(&r->sql), NULL, err);
		rows_end_condition(pg);
		if (rc < 0)
			return rows_unread(r, err);
		*ret = pg_rows(result) > 0;
		pg_free(result);
	}
	return 0;
}

int
rows_glance(bool *ret, struct rows *r, struct pg *pg, struct err *err)
{
	bool ours;

	if (begin_reading(&ours, pg, err) < 0)
		return -1;
	return end_reading(ours, glance(ret, r, pg, err), pg, err);
}

/* -- lengths --------------------------------------------------------------- */

static int
check_length(struct rows *r, struct pg *pg, size_t column,
	const struct remarks *to, struct err *err)
{
	const struct leaf_column *c = &r->leaf->column[column];
	struct remark about = {
		.topic = TOPIC_LENGTHS,
		.target = r->leaf->target,
		.table = r->leaf->name,
		.column = c->name,
	};
	struct pg_result *result;
	long long count, longest;

	buf_reset(&r->sql);
	if (!sql_overflow(&r->sql, &r->view, column))
		return 0;
	if (ask(&result, r, pg, err) < 0)
		return -1;
	count = pg_int(result, 0, 0);
	longest = pg_int(result, 0, 1);
	pg_free(result);
	if (count == 0)
		return 0;
	err_set(err, ERR_USAGE,
		"%lld %s of %s would not fit column %s any more: up to "
		"%lld characters, it holds %d",
		count, text_plural(count, "value", "values"), r->leaf->name,
		c->name, longest, c->max_chars);
	err_hint(err,
		"ALTER TABLE %s ALTER COLUMN \"%s\" TYPE "
		"varchar(%lld)",
		r->leaf->name, c->name, longest);
	return remark_refuse(to, &about, err);
}

int
rows_check_lengths(struct rows *r, struct pg *pg, const struct remarks *to,
	struct err *err)
{
	for (size_t i = 0; i < r->leaf->conf->columns; i++) {
		if (check_length(r, pg, i, to, err) < 0)
			return -1;
	}
	return 0;
}
