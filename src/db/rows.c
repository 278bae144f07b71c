#include "rows_int.h"
#include <stdio.h>
#include <stdlib.h>

#define SQL_MAX ((size_t)1 << 20)
/* Rows per FETCH, and the bytes that one should not exceed: the server keeps
 * them in work_mem before it sends them. */
#define FETCH_ROWS 500
#define FETCH_BYTES ((size_t)2 << 20)

struct rows *
rows_new(const struct leaf *leaf, const struct rows_options *o)
{
	struct rows *r = xcalloc(1, sizeof(*r));

	r->leaf = leaf;
	r->view = (struct sql_view){leaf, o->current_key, o->everything};
	r->state_schema = o->state_schema;
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

int
rows_unread(const struct rows *r, struct err *err)
{
	const struct target *t = r->leaf->conf;

	if (!strcmp(err->sqlstate, "42501")) {
		err_hint(err, "GRANT SELECT on every column that is read, "
			      "those in `where` included");
	} else if (t->where && is_condition(err)) {
		err->code = ERR_USAGE;
		err_hint(err,
			"`where` of [table %s], line %d, is evaluated by "
			"the server for every row",
			t->label, t->line);
	}
	return err_in(err, "cannot read %s", r->leaf->name);
}

/* -- windows --------------------------------------------------------------- */

void
window_init(struct window *w)
{
	*w = (struct window){0};
	buf_init(&w->bytes, (size_t)1 << 31);
}

void
window_done(struct window *w)
{
	free(w->tid);
	free(w->cell);
	buf_done(&w->bytes);
}

void
window_reset(struct window *w, size_t columns)
{
	if (w->columns != columns) { /* another leaf: other row sizes */
		free(w->tid);
		free(w->cell);
		w->tid = NULL;
		w->cell = NULL;
		w->room = 0;
		w->columns = columns;
	}
	w->rows = 0;
	buf_reset(&w->bytes);
}

struct slice
window_value(const struct window *w, const struct cell *c)
{
	return slice_of(w->bytes.ptr + c->at, c->len);
}

uint32_t
rows_be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

/* A tid in binary format: block and offset. */
struct tid
rows_tid(struct slice s)
{
	return (struct tid){
		rows_be32(s.ptr), (uint16_t)(s.ptr[4] << 8 | s.ptr[5])};
}

static bool
tid_less(struct tid a, struct tid b)
{
	return a.block < b.block || (a.block == b.block && a.offset < b.offset);
}

void
window_put(struct window *w, struct tid tid, uint32_t oversize,
	const struct slice *value)
{
	struct cell *cell;

	if (w->rows == w->room) {
		w->room = w->room ? 2 * w->room : 256;
		w->tid = xrealloc(w->tid, w->room * sizeof(*w->tid));
		w->cell = xrealloc(
			w->cell, w->room * w->columns * sizeof(*w->cell));
	}
	/* One snapshot delivers a row once; two new values for one row would
	 * leave it to chance which is stored. */
	if (w->rows > 0 && !tid_less(w->tid[w->rows - 1], tid))
		die("rows of a window are not in order");
	w->tid[w->rows] = tid;
	cell = &w->cell[w->rows * w->columns];
	for (size_t i = 0; i < w->columns; i++) {
		cell[i] = (struct cell){.at = w->bytes.len};
		cell[i].oversize = (oversize >> i & 1) != 0;
		cell[i].present = cell[i].oversize || value[i].ptr;
		if (!cell[i].present || cell[i].oversize)
			continue;
		cell[i].len = value[i].len;
		buf_add(&w->bytes, value[i].ptr, value[i].len);
	}
	w->rows++;
}

void
window_add(struct window *w, const struct pg_result *row)
{
	struct slice value[TARGET_COLUMNS_MAX] = {{0}};

	for (size_t i = 0; i < w->columns; i++)
		value[i] = pg_is_null(row, 0, (int)i + 2)
				   ? (struct slice){0}
				   : pg_slice(row, 0, (int)i + 2);
	window_put(w, rows_tid(pg_slice(row, 0, 0)),
		rows_be32(pg_slice(row, 0, 1).ptr), value);
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
	size_t before = w->bytes.len, width;

	window_add(w, row);
	width = w->bytes.len - before;
	if (width > f->rows->widest)
		f->rows->widest = width;
	f->fetched++;
	if (w->rows >= f->limits->rows || w->bytes.len >= f->limits->bytes)
		f->full = true;
	return !f->full;
}

/* A full window ends behind its last row, at a page if that is where the
 * next row starts anyway; nobody has to read half a page twice. */
static void
cut_window(struct window *w, const struct range *asked)
{
	struct tid last = w->tid[w->rows - 1];
	size_t keep = w->rows;

	while (keep > 0 && w->tid[keep - 1].block == last.block)
		keep--;
	if (keep > 0) {
		w->rows = keep;
		w->range.hi = (struct tid){last.block, 0};
	} else { /* one page alone exceeds the limit */
		last.offset++;
		w->range.hi = last;
	}
	if (tid_less(asked->hi, w->range.hi))
		w->range.hi = asked->hi;
}

static size_t
fetch_size(const struct rows *r)
{
	size_t n = FETCH_BYTES / (r->widest + 1);

	/* Nothing known yet about a leaf with large values: go carefully. */
	if (r->leaf->toasted && r->widest == 0)
		return 32;
	return n < 1 ? 1 : n > FETCH_ROWS ? FETCH_ROWS : n;
}

int
rows_read(struct window *ret, struct rows *r, struct pg *pg,
	const struct range *range, const struct window_limits *limits,
	struct err *err)
{
	struct fill f = {.rows = r, .window = ret, .limits = limits};
	char fetch[64];
	size_t n;

	window_reset(ret, r->leaf->conf->columns);
	ret->range = *range;
	buf_reset(&r->sql);
	buf_adds(&r->sql, "BEGIN READ ONLY; DECLARE pgrekey_window"
			  " NO SCROLL CURSOR FOR ");
	sql_read(&r->sql, &r->view, range);
	if (pg_exec(pg, buf_str(&r->sql), err) < 0)
		return rows_unread(r, err);
	do {
		n = fetch_size(r);
		snprintf(fetch, sizeof(fetch), "FETCH %zu FROM pgrekey_window",
			n);
		f.fetched = 0;
		if (pg_stream(pg, fetch, NULL, fill_row, &f, err) < 0)
			return rows_unread(r, err);
	} while (!f.full && f.fetched == n);
	if (f.full)
		cut_window(ret, range);
	return pg_exec(pg, "COMMIT", err);
}
