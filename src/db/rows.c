#include "rows_int.h"
#include <stdio.h>
#include <stdlib.h>

#define SQL_MAX ((size_t)1 << 20)
/* Each FETCH is a round trip; so many rows are a window's, mostly in one. But
 * the server keeps them in work_mem before it sends them, so not more bytes
 * than this at a time; and few rows before their width is known. */
#define FETCH_ROWS 10000
#define FETCH_BYTES ((size_t)2 << 20)
#define FETCH_FIRST 500
#define FETCH_FIRST_TOASTED 32
/* No trigger runs where we only read. A partial index may promise few rows. */
#define NO_INDEX "SET LOCAL enable_indexscan = off"

struct rows *
rows_new(const struct leaf *leaf, const struct rows_options *o)
{
	struct rows *r = xcalloc(1, sizeof(*r));

	r->leaf = leaf;
	r->view = (struct sql_view){leaf, o->current_key, o->everything};
	r->state_schema = o->state_schema;
	r->suppress_triggers = o->suppress_triggers;
	r->bounded = leaf->toasted;
	buf_init(&r->sql, SQL_MAX);
	return r;
}

void
rows_free(struct rows *r)
{
	if (!r)
		return;
	buf_done(&r->sql);
	free(r);
}

const struct leaf *
rows_leaf(const struct rows *r)
{
	return r->leaf;
}

/* Nothing else in a statement that reads is somebody else's. Division by zero
 * in it must not be taken for the fence of a chunk: it would be tried again
 * for ever. */
static bool
is_condition(const struct err *err)
{
	return !strncmp(err->sqlstate, "22", 2) ||
	       !strncmp(err->sqlstate, "42", 2) ||
	       !strncmp(err->sqlstate, "P0", 2);
}

static void
hint_denied(const struct leaf *leaf, struct err *err)
{
	if (leaf->asked_grant)
		err_hint(err, "%s", leaf->asked_grant);
	else if (leaf->conf->where)
		err_hint(err, "GRANT what `pgrekey init --print` prints, and "
			      "what functions and other tables in `where` "
			      "need");
	else
		err_hint(err, "GRANT what `pgrekey init --print` prints");
}

int
rows_unread(const struct rows *r, struct err *err)
{
	const struct target *t = r->leaf->conf;

	if (!strcmp(err->sqlstate, "42501")) {
		hint_denied(r->leaf, err);
	} else if (t->where && !strcmp(err->sqlstate, "25006")) {
		err_hint(err,
			"`where` of [table %s], line %d, is evaluated in "
			"transactions that cannot write",
			t->label, t->line);
	} else if (t->where && is_condition(err)) {
		err->code = ERR_USAGE;
		err_hint(err,
			"`where` of [table %s], line %d, is evaluated by "
			"the server for every row",
			t->label, t->line);
	}
	return err_in(err, "cannot read %s", r->leaf->name);
}

void
rows_begin_condition(const struct rows *r, struct pg *pg)
{
	pg_be_discreet(pg, r->leaf->conf->where != NULL);
}

void
rows_end_condition(struct pg *pg)
{
	pg_be_discreet(pg, false);
}

/* -- windows --------------------------------------------------------------- */

void
window_add(struct window *w, const struct pg_result *row)
{
	struct slice value[TARGET_COLUMNS_MAX] = {{0}};
	struct slice bits = pg_slice(row, 0, 1);

	for (size_t i = 0; i < w->columns; i++)
		value[i] = pg_is_null(row, 0, (int)i + 2)
				   ? (struct slice){0}
				   : pg_slice(row, 0, (int)i + 2);
	window_put(w, rows_tid(pg_slice(row, 0, 0)),
		bits.len < sizeof(uint32_t) ? 0 : rows_be32(bits.ptr), value);
}

struct fill {
	struct rows *rows;
	struct window *window;
	const struct window_limits *limits;
	size_t fetched; /* by the FETCH that runs */
	bool full;
};

static bool
fill_row(void *ctx, const struct pg_result *row)
{
	struct fill *f = ctx;
	struct window *w = f->window;
	size_t before = w->bytes->len, width;

	window_add(w, row);
	width = w->bytes->len - before;
	if (width > f->rows->widest)
		f->rows->widest = width;
	f->fetched++;
	f->full = window_is_full(w, f->limits);
	return !f->full;
}

static size_t
fetch_size(const struct rows *r)
{
	size_t n = FETCH_BYTES / (r->widest + 1);

	if (r->widest == 0)
		return r->leaf->toasted ? FETCH_FIRST_TOASTED : FETCH_FIRST;
	return n < 1 ? 1 : n > FETCH_ROWS ? FETCH_ROWS : n;
}

/* By a cursor, so that no more is read than fits. */
static int
read_bounded(struct rows *r, struct pg *pg, const struct range *range,
	struct fill *f, struct err *err)
{
	char fetch[64];
	size_t n;

	buf_reset(&r->sql);
	pg_add_begin(&r->sql, pg, PG_READ, NULL);
	if (!sql_is_sorted(&r->view))
		buf_adds(&r->sql, NO_INDEX "; ");
	buf_adds(&r->sql, "DECLARE pgrekey_window NO SCROLL CURSOR FOR ");
	sql_read(&r->sql, &r->view, range);
	if (pg_exec(pg, buf_str(&r->sql), err) < 0)
		return -1;
	do {
		n = fetch_size(r);
		snprintf(fetch, sizeof(fetch), "FETCH %zu FROM pgrekey_window",
			n);
		f->fetched = 0;
		if (pg_stream(pg, fetch, NULL, fill_row, f, err) < 0)
			return -1;
	} while (!f->full && f->fetched == n);
	return pg_exec(pg, "COMMIT", err);
}

static bool
no_row(void *ctx, const struct pg_result *row)
{
	(void)ctx, (void)row;
	return true;
}

/* r->sql in a transaction, all in one flush; f NULL: for its own sake. */
static int
flush_read(struct rows *r, struct pg *pg, bool sorted, struct fill *f,
	struct err *err)
{
	struct pg_step step[5] = {{.sql = pg_begin_sql(pg, PG_READ)}};
	size_t steps = 1;

	if (pg_settings(pg))
		step[steps++].sql = pg_settings(pg);
	if (!sorted)
		step[steps++].sql = NO_INDEX;
	step[steps++] = (struct pg_step){
		.sql = buf_str(&r->sql), .fn = f ? fill_row : no_row, .ctx = f};
	step[steps++].sql = "COMMIT";
	return pg_flush(pg, step, steps, err);
}

/* The server keeps nothing before it sends. What does not fit is read in
 * vain. */
static int
read_at_once(struct rows *r, struct pg *pg, const struct range *range,
	struct fill *f, struct err *err)
{
	buf_reset(&r->sql);
	sql_read(&r->sql, &r->view, range);
	return flush_read(r, pg, sql_is_sorted(&r->view), f, err);
}

int
rows_read(struct window *ret, struct rows *r, struct pg *pg,
	const struct range *range, const struct window_limits *limits,
	struct err *err)
{
	struct fill f = {.rows = r, .window = ret, .limits = limits};
	int rc;

	window_reset(ret, r->leaf->conf->columns);
	ret->range = *range;
	rows_begin_condition(r, pg);
	rc = (r->bounded ? read_bounded : read_at_once)(r, pg, range, &f, err);
	rows_end_condition(pg);
	r->bounded |= f.full; /* even if what did not fit took too long */
	if (rc < 0)
		return rows_unread(r, err);
	if (f.full)
		window_cut(ret, range);
	return 0;
}

int
rows_prune(struct rows *r, struct pg *pg, const struct range *range,
	struct err *err)
{
	buf_reset(&r->sql);
	sql_visit(&r->sql, r->leaf, range);
	if (flush_read(r, pg, false, NULL, err) < 0)
		return rows_unread(r, err);
	return 0;
}
