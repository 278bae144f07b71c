/*
 * Reading by COPY in binary format: a header, then per row the number of
 * fields and each as a length and bytes, then -1.
 */
#include "copy_int.h"
#include "rows_int.h"
#include <stdlib.h>

#define HEAD 19 /* signature, flags, length of the extension */
static const char signature[] = "PGCOPY\n\377\r\n";

struct copy {
	copy_row_fn fn;
	void *ctx;
	struct slice *field;
	size_t fields;
	int64_t rows; /* that came */
	bool begun, broken;
	bool left; /* who reads wants no more */
};

struct cursor {
	const unsigned char *p, *end;
};

static bool
take(struct slice *ret, struct cursor *c, size_t n)
{
	if ((size_t)(c->end - c->p) < n)
		return false;
	*ret = slice_of(c->p, n);
	c->p += n;
	return true;
}

static bool
take_head(struct cursor *c)
{
	struct slice s;

	return take(&s, c, HEAD) &&
	       memcmp(s.ptr, signature, sizeof(signature)) == 0 &&
	       take(&s, c, rows_be32(s.ptr + HEAD - 4));
}

static bool
take_field(struct slice *ret, struct cursor *c)
{
	struct slice s;
	uint32_t len;

	if (!take(&s, c, 4))
		return false;
	len = rows_be32(s.ptr);
	*ret = (struct slice){0};
	return len == UINT32_MAX || take(ret, c, len);
}

/* One row; *last is the end of the data. */
static bool
take_row(struct copy *x, struct cursor *c, bool *last)
{
	struct slice head;
	size_t fields;

	*last = false;
	if (!take(&head, c, 2))
		return false;
	fields = (size_t)head.ptr[0] << 8 | head.ptr[1];
	if (fields == 0xffff) {
		*last = true;
		return true;
	}
	if (fields != x->fields)
		return false;
	for (size_t i = 0; i < fields; i++) {
		if (!take_field(&x->field[i], c))
			return false;
	}
	return true;
}

/* Hands on one row; false: there is nothing more to hand on. */
static bool
pass_row(struct copy *x, struct cursor *c)
{
	bool last;

	if (!take_row(x, c, &last)) {
		x->broken = true;
		return false;
	}
	if (last)
		return false;
	x->rows++;
	x->left = !x->fn(x->ctx, x->field);
	return !x->left;
}

static bool
copy_data(void *ctx, struct slice data)
{
	struct copy *x = ctx;
	struct cursor c = {data.ptr, data.ptr + data.len};

	if (!x->begun && !take_head(&c)) {
		x->broken = true;
		return false;
	}
	x->begun = true;
	while (c.p < c.end && pass_row(x, &c))
		;
	return !x->broken && !x->left;
}

int
copy_rows(struct pg *pg, const char *sql, size_t fields, copy_row_fn fn,
	void *ctx, struct err *err)
{
	struct copy x = {.fn = fn, .ctx = ctx, .fields = fields};
	int64_t said;
	int rc;

	x.field = xcalloc(fields, sizeof(*x.field));
	rc = pg_copy_out(&said, pg, sql, copy_data, &x, err);
	free(x.field);
	if (rc < 0)
		return rc;
	if (x.broken)
		return err_set(err, ERR_BUG, "COPY sent what is no row");
	if (!x.left && x.rows != said)
		return err_set(err, ERR_BUG,
			"COPY sent %lld rows, but %lld came", (long long)said,
			(long long)x.rows);
	return 0;
}

/* -- rows of a leaf -------------------------------------------------------- */

struct leaf_copy {
	rows_fn fn;
	void *ctx;
	struct window row;
	struct buf bytes;
	bool limited; /* the second field has the oversize bits */
	bool broken;
};

static bool
leaf_row(void *ctx, const struct slice *field)
{
	struct leaf_copy *x = ctx;

	if (field[0].len != 6 || (x->limited && field[1].len != 4)) {
		x->broken = true;
		return false;
	}
	buf_reset(&x->bytes);
	window_reset(&x->row, x->row.columns);
	window_put(&x->row, rows_tid(field[0]),
		x->limited ? rows_be32(field[1].ptr) : 0,
		field + 1 + x->limited);
	return x->fn(x->ctx, &x->row);
}

int
rows_copy(struct rows *r, struct pg *pg, const struct copy_range *part,
	rows_fn fn, void *ctx, struct err *err)
{
	struct leaf_copy x = {.fn = fn, .ctx = ctx, .limited = part->limited};
	int rc;

	window_bytes_init(&x.bytes);
	window_init(&x.row, &x.bytes);
	x.row.columns = r->leaf->conf->columns;
	buf_reset(&r->sql);
	sql_copy(&r->sql, &r->view, part);
	rows_begin_condition(r, pg);
	rc = copy_rows(pg, buf_str(&r->sql), x.row.columns + 1 + part->limited,
		leaf_row, &x, err);
	rows_end_condition(pg);
	window_done(&x.row);
	buf_done(&x.bytes);
	if (rc == 0 && x.broken)
		return err_set(err, ERR_BUG, "COPY sent what is no row");
	return rc < 0 ? rows_unread(r, err) : 0;
}
