/*
 * Reading: windows, the sweep, single rows.
 */
#include "../../src/db/rows_int.h"
#include "store_int.h"
#include <stdlib.h>

const char fake_links_rows[] = "rows";

bool
fake_is_current(const char *value)
{
	return !strncmp(value, fake.setup.current, strlen(fake.setup.current));
}

struct rows *
rows_new(const struct leaf *leaf, const struct rows_options *o)
{
	struct rows *r = xcalloc(1, sizeof(*r));

	r->leaf = leaf;
	r->view.everything = o->everything;
	return r;
}

void
rows_free(struct rows *r)
{
	free(r);
}

const struct leaf *
rows_leaf(const struct rows *r)
{
	return r->leaf;
}

/* -- windows --------------------------------------------------------------- */

static bool
is_wanted(const struct rows *r, const struct fake_value *v)
{
	return v->text && (r->view.everything || !fake_is_current(v->text));
}

/* Adds the row if it has a value to look at. */
static bool
add_row(struct window *w, const struct rows *r, const struct fake_row *row)
{
	struct slice value[FAKE_COLUMNS] = {{0}};
	bool any = false;

	for (size_t i = 0; i < w->columns; i++) {
		if (is_wanted(r, &row->cell[i]))
			value[i] = slice_str(row->cell[i].text);
		any |= value[i].ptr != NULL;
	}
	if (any)
		window_put(w, row->tid, 0, value);
	return any;
}

/* Called with each row of a range; false ends it. */
typedef bool (*row_fn)(void *ctx, const struct fake_row *row);

static void
each_row(const struct fake_table *t, const struct range *range, row_fn fn,
	void *ctx)
{
	struct tid at = range->lo;

	for (; at.block < t->blocks; at = (struct tid){at.block + 1, 0}) {
		for (; at.offset <= FAKE_SLOTS; at.offset++) {
			const struct fake_row *row = fake_row_at(t, at);

			if (at.block > range->hi.block ||
				(at.block == range->hi.block &&
					at.offset >= range->hi.offset))
				return;
			if (row && !fn(ctx, row))
				return;
		}
	}
}

static const struct range whole = {{0, 0}, {UINT32_MAX, 0}};

struct fill {
	const struct rows *rows;
	struct window *window;
	const struct window_limits *limits;
	bool full;
};

static bool
fill_row(void *ctx, const struct fake_row *row)
{
	struct fill *f = ctx;
	struct window *w = f->window;

	if (add_row(w, f->rows, row))
		f->full = window_is_full(w, f->limits);
	return !f->full;
}

int
rows_read(struct window *ret, struct rows *r, struct pg *pg,
	const struct range *range, const struct window_limits *limits,
	struct err *err)
{
	struct fill f = {.rows = r, .window = ret, .limits = limits};

	window_reset(ret, r->leaf->conf->columns);
	ret->range = *range;
	if (fake_enter(pg, "rows_read", err) < 0)
		return -1;
	if (pg->transaction)
		fake_wrong("a window in an open transaction");
	each_row(fake_table(r->leaf->oid), range, fill_row, &f);
	if (f.full)
		window_cut(ret, range);
	return fake_leave(pg, err);
}

int
rows_prune(struct rows *r, struct pg *pg, const struct range *range,
	struct err *err)
{
	(void)r, (void)range;
	if (fake_enter(pg, "rows_prune", err) < 0)
		return -1;
	if (pg->transaction)
		fake_wrong("pruning in an open transaction");
	return fake_leave(pg, err);
}

int
rows_first(struct window *ret, struct rows *r, struct pg *pg, size_t count,
	struct err *err)
{
	struct window_limits limits = {SIZE_MAX, count};
	struct fill f = {.rows = r, .window = ret, .limits = &limits};

	window_reset(ret, r->leaf->conf->columns);
	ret->range = whole;
	if (fake_enter(pg, "rows_first", err) < 0)
		return -1;
	each_row(fake_table(r->leaf->oid), &whole, fill_row, &f);
	return fake_leave(pg, err);
}

/* -- the sweep ------------------------------------------------------------- */

int
rows_count(
	struct leaf_count *ret, struct rows *r, struct pg *pg, struct err *err)
{
	const struct fake_table *t = fake_table(r->leaf->oid);

	if (fake_enter(pg, "rows_count", err) < 0)
		return -1;
	if (!pg->transaction)
		fake_wrong("a count outside a snapshot");
	*ret = (struct leaf_count){.rows = (int64_t)t->layout.rows};
	for (size_t i = 0; i < t->layout.rows; i++) {
		for (size_t c = 0; c < t->layout.columns; c++) {
			const struct fake_value *v = &t->row[i].cell[c];

			ret->nulls[c] += !v->text;
			ret->current[c] += v->text && !is_wanted(r, v);
		}
	}
	return fake_leave(pg, err);
}

struct sweep {
	const struct rows *rows;
	struct window window;
	struct buf bytes;
	rows_fn fn;
	void *ctx;
};

static bool
sweep_row(void *ctx, const struct fake_row *row)
{
	struct sweep *s = ctx;

	buf_reset(&s->bytes);
	window_reset(&s->window, s->window.columns);
	return !add_row(&s->window, s->rows, row) || s->fn(s->ctx, &s->window);
}

int
rows_sweep(
	struct rows *r, struct pg *pg, rows_fn fn, void *ctx, struct err *err)
{
	struct sweep s = {.rows = r, .fn = fn, .ctx = ctx};

	if (fake_enter(pg, "rows_sweep", err) < 0)
		return -1;
	if (!pg->transaction)
		fake_wrong("a sweep outside a snapshot");
	window_bytes_init(&s.bytes);
	window_init(&s.window, &s.bytes);
	s.window.columns = r->leaf->conf->columns;
	each_row(fake_table(r->leaf->oid), &whole, sweep_row, &s);
	window_done(&s.window);
	buf_done(&s.bytes);
	return fake_leave(pg, err);
}

#define GLANCES 8
#define GLANCE_BLOCKS 4

int
rows_glance(bool *ret, struct rows *r, struct pg *pg, struct err *err)
{
	const struct fake_table *t = fake_table(r->leaf->oid);
	const struct window_limits limits = {SIZE_MAX, 1};
	struct window w;
	struct buf bytes;
	struct fill f = {.rows = r, .window = &w, .limits = &limits};

	if (fake_enter(pg, "rows_glance", err) < 0)
		return -1;
	window_bytes_init(&bytes);
	window_init(&w, &bytes);
	window_reset(&w, r->leaf->conf->columns);
	for (uint32_t i = 0; i < GLANCES && !f.full; i++) {
		uint32_t at = t->blocks * i / GLANCES;
		struct range range = {{at, 0}, {at + GLANCE_BLOCKS, 0}};

		buf_reset(&bytes);
		window_reset(&w, w.columns);
		each_row(t, &range, fill_row, &f);
	}
	*ret = f.full;
	window_done(&w);
	buf_done(&bytes);
	return fake_leave(pg, err);
}

/* -- single rows ----------------------------------------------------------- */

int
rows_identity(char **ret, struct rows *r, struct pg *pg, struct tid tid,
	struct err *err)
{
	const struct fake_table *t = fake_table(r->leaf->oid);
	const struct fake_row *row;

	if (fake_enter(pg, "rows_identity", err) < 0)
		return -1;
	row = fake_row_at(t, tid);
	*ret = row ? xasprintf("{\"id\":\"%zu\"}", (size_t)(row - t->row))
		   : xstrdup("");
	if (fake_leave(pg, err) == 0)
		return 0;
	free(*ret);
	return -1;
}

int
rows_presence(enum row_presence *ret, struct rows *r, struct pg *pg,
	struct tid tid, struct err *err)
{
	const struct fake_row *row;

	if (fake_enter(pg, "rows_presence", err) < 0)
		return -1;
	row = fake_row_at(fake_table(r->leaf->oid), tid);
	*ret = !row ? ROW_GONE : fake_is_locked(row) ? ROW_LOCKED : ROW_FREE;
	return fake_leave(pg, err);
}

int
rows_check_lengths(struct rows *r, struct pg *pg, const struct remarks *to,
	struct err *err)
{
	(void)r, (void)to;
	if (fake_enter(pg, "rows_check_lengths", err) < 0)
		return -1;
	return fake_leave(pg, err);
}
