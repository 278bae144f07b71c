/*
 * One look at a table: the rows in which some column may hold an envelope,
 * and of those rows only the values that may be one.
 */
#include "copy_int.h"
#include "inventory.h"
#include "quote.h"
#include <stdlib.h>

/* An envelope's marker and key id are well within the first bytes. */
#define HEAD_BYTES 64

struct reading {
	inventory_fn fn;
	void *ctx;
	size_t *column; /* of each field */
	size_t fields;
};

/* How a column is written, and what its predicate looks at. */
struct reference {
	struct buf ref;
	struct buf text;
};

static void
reference_init(struct reference *x, const struct inventory_column *c)
{
	buf_init(&x->ref, SIZE_MAX);
	buf_init(&x->text, SIZE_MAX);
	buf_adds(&x->ref, "t.");
	quote_ident(&x->ref, c->name);
	if (c->bytes)
		buf_addf(&x->text,
			"pg_catalog.encode(pg_catalog.substr(%s, 1, %d), "
			"'escape')",
			buf_str(&x->ref), HEAD_BYTES);
	else
		buf_adds(&x->text, buf_str(&x->ref));
}

static void
reference_done(struct reference *x)
{
	buf_done(&x->ref);
	buf_done(&x->text);
}

/* True where the value may be an envelope of any format. */
static void
add_candidate(struct buf *sql, const struct inventory_column *c)
{
	struct reference x;

	reference_init(&x, c);
	for (const struct format *const *f = formats; *f; f++) {
		buf_adds(sql, f == formats ? "(" : " OR ");
		(*f)->sql_candidate(sql, buf_str(&x.text), c->carrier);
	}
	buf_addc(sql, ')');
	reference_done(&x);
}

/* NULL for what is no candidate; empty, which no envelope is, for what is too
 * large. */
static void
add_value(struct buf *sql, const struct inventory_column *c)
{
	const char *cast = c->bytes ? "" : "::text";
	struct reference x;

	reference_init(&x, c);
	buf_adds(sql, "CASE WHEN ");
	add_candidate(sql, c);
	buf_addf(sql,
		" THEN CASE WHEN pg_catalog.octet_length(%s%s) > %d THEN '' "
		"ELSE %s%s END END",
		buf_str(&x.ref), cast, INVENTORY_VALUE_MAX, buf_str(&x.ref),
		cast);
	reference_done(&x);
}

static void
add_copy(struct buf *sql, const struct reading *r,
	const struct inventory_part *part)
{
	const struct inventory_table *t = part->table;

	buf_adds(sql, "COPY (SELECT ");
	for (size_t i = 0; i < r->fields; i++) {
		buf_adds(sql, i ? ", " : "");
		add_value(sql, &t->column[r->column[i]]);
	}
	buf_adds(sql, " FROM ONLY ");
	quote_ident(sql, t->schema);
	buf_addc(sql, '.');
	quote_ident(sql, t->name);
	buf_adds(sql, " AS t");
	if (part->sample > 0)
		buf_addf(sql, " TABLESAMPLE SYSTEM (%g)", part->sample);
	for (size_t i = 0; i < r->fields; i++) {
		buf_adds(sql, i ? " OR " : " WHERE ");
		add_candidate(sql, &t->column[r->column[i]]);
	}
	buf_adds(sql, ") TO STDOUT (FORMAT binary)");
}

static bool
read_row(void *ctx, const struct slice *field)
{
	struct reading *r = ctx;

	for (size_t i = 0; i < r->fields; i++) {
		struct slice value = field[i];

		if (!value.ptr)
			continue;
		if (value.len == 0)
			value.ptr = NULL;
		if (!r->fn(r->ctx, r->column[i], value))
			return false;
	}
	return true;
}

int
inventory_read(struct pg *pg, const struct inventory_part *part,
	inventory_fn fn, void *ctx, struct err *err)
{
	struct reading r = {.fn = fn, .ctx = ctx};
	struct buf sql;
	int rc;

	r.column = xcalloc(part->table->columns, sizeof(*r.column));
	for (size_t i = 0; i < part->table->columns; i++) {
		if (part->wanted[i])
			r.column[r.fields++] = i;
	}
	buf_init(&sql, SIZE_MAX);
	add_copy(&sql, &r, part);
	rc = copy_rows(pg, buf_str(&sql), r.fields, read_row, &r, err);
	buf_done(&sql);
	free(r.column);
	return rc;
}
