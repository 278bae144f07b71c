#include "quote.h"
#include "sql_int.h"

/* t.ctid within the range. */
static void
add_range(struct buf *sql, const struct range *r)
{
	buf_addf(sql, "t.ctid >= '(%u,%u)'::tid AND t.ctid < '(%u,%u)'::tid",
		r->lo.block, r->lo.offset, r->hi.block, r->hi.offset);
}

static void
add_current(struct buf *sql, const struct sql_view *v, size_t column)
{
	const struct leaf_column *c = &v->leaf->column[column];

	v->leaf->conf->policy.format->sql_current(
		sql, c->ref, c->carrier, v->current_key);
}

void
sql_add_where(struct buf *sql, const struct leaf *leaf)
{
	if (leaf->conf->where)
		buf_addf(sql, " AND (%s)", leaf->conf->where);
}

/* -- reading --------------------------------------------------------------- */

/* octet_length() of a text does not detoast; of what is printed first it must,
 * so there it is only asked where values can be large at all. */
static bool
may_be_oversize(const struct leaf *leaf, size_t column)
{
	return leaf->may_toast || leaf->column[column].carrier == CARRIER_TEXT;
}

/* Does a row that is read have columns that need no reading? */
static bool
is_filtered(const struct sql_view *v)
{
	return !v->everything && v->leaf->conf->columns > 1;
}

static void
add_value(struct buf *sql, const struct sql_view *v, size_t column)
{
	const struct leaf_column *c = &v->leaf->column[column];

	buf_adds(sql, ", ");
	if (is_filtered(v)) {
		buf_adds(sql, "CASE WHEN NOT ");
		add_current(sql, v, column);
		buf_adds(sql, " THEN ");
	}
	v->leaf->conf->policy.format->sql_text(sql, c->ref, c->carrier);
	buf_addf(sql, "%s AS v%zu", is_filtered(v) ? " END" : "", column);
}

/* At least one column has something to look at. */
static void
add_filter(struct buf *sql, const struct sql_view *v)
{
	buf_adds(sql, "(");
	for (size_t i = 0; i < v->leaf->conf->columns; i++) {
		buf_adds(sql, i ? " OR " : "");
		if (v->everything) {
			buf_addf(sql, "%s IS NOT NULL", v->leaf->column[i].ref);
		} else {
			buf_adds(sql, "NOT ");
			add_current(sql, v, i);
		}
	}
	buf_adds(sql, ")");
}

static void
add_select(struct buf *sql, const struct sql_view *v)
{
	buf_adds(sql, "SELECT t.ctid");
	for (size_t i = 0; i < v->leaf->conf->columns; i++)
		add_value(sql, v, i);
	buf_addf(sql, " FROM ONLY %s AS t", v->leaf->sql_name);
}

static void
add_oversize(struct buf *sql, const struct leaf *leaf, size_t column)
{
	buf_addf(sql, "CASE WHEN pg_catalog.octet_length(x.v%zu) > %zu THEN ",
		column, leaf->conf->policy.max_value_bytes);
}

/* Which columns are too large, as bits, since '' is a value like any other.
 * Shifted by the server, or the 32nd would make it an int8. */
static void
add_oversize_bits(struct buf *sql, const struct leaf *leaf)
{
	buf_adds(sql, ", 0");
	for (size_t i = 0; i < leaf->conf->columns; i++) {
		if (!may_be_oversize(leaf, i))
			continue;
		buf_adds(sql, " + ");
		add_oversize(sql, leaf, i);
		buf_addf(sql, "1 << %zu ELSE 0 END", i);
	}
}

/* Around what add_select() made: no value that is too large is sent. OFFSET 0
 * keeps the server from making a value anew wherever it is named. */
static void
begin_limit(struct buf *sql, const struct leaf *leaf)
{
	buf_adds(sql, "SELECT x.ctid");
	add_oversize_bits(sql, leaf);
	for (size_t i = 0; i < leaf->conf->columns; i++) {
		bool limit = may_be_oversize(leaf, i);

		buf_adds(sql, ", ");
		if (limit) {
			add_oversize(sql, leaf, i);
			buf_adds(sql, "'' ELSE ");
		}
		buf_addf(sql, "x.v%zu%s", i, limit ? " END" : "");
	}
	buf_adds(sql, " FROM (");
}

static void
end_limit(struct buf *sql)
{
	buf_adds(sql, " OFFSET 0) AS x");
}

/* A condition of the user's may need its indexes; ours is better off with a
 * scan of the range, which has the rows in order, as all others but an index
 * scan do. A sort would detoast the whole window at once. */
bool
sql_is_sorted(const struct sql_view *v)
{
	return v->everything || v->leaf->conf->where;
}

void
sql_read(struct buf *sql, const struct sql_view *v, const struct range *range)
{
	begin_limit(sql, v->leaf);
	add_select(sql, v);
	buf_adds(sql, " WHERE ");
	if (range) {
		add_range(sql, range);
		buf_adds(sql, " AND ");
	}
	add_filter(sql, v);
	sql_add_where(sql, v->leaf);
	if (range && sql_is_sorted(v))
		buf_adds(sql, " ORDER BY t.ctid");
	end_limit(sql);
}

void
sql_visit(struct buf *sql, const struct leaf *leaf, const struct range *range)
{
	buf_addf(sql, "SELECT pg_catalog.count(*) FROM ONLY %s AS t WHERE ",
		leaf->sql_name);
	add_range(sql, range);
}

void
sql_copy(struct buf *sql, const struct sql_view *v,
	const struct copy_range *part)
{
	buf_adds(sql, "COPY (");
	if (part->limited)
		begin_limit(sql, v->leaf);
	add_select(sql, v);
	if (part->sample > 0)
		buf_addf(sql, " TABLESAMPLE SYSTEM (%g)", part->sample);
	buf_adds(sql, " WHERE ");
	if (part->range)
		add_range(sql, part->range);
	else
		buf_adds(sql, "true");
	sql_add_where(sql, v->leaf);
	if (part->limited)
		end_limit(sql);
	buf_adds(sql, ") TO STDOUT (FORMAT binary)");
}

void
sql_count(struct buf *sql, const struct sql_view *v)
{
	buf_adds(sql, "SELECT pg_catalog.count(*)");
	for (size_t i = 0; i < v->leaf->conf->columns; i++) {
		buf_addf(sql, ", pg_catalog.count(*) - pg_catalog.count(%s), ",
			v->leaf->column[i].ref);
		if (v->everything) {
			buf_adds(sql, "0");
			continue;
		}
		buf_adds(sql, "pg_catalog.count(*) FILTER (WHERE ");
		add_current(sql, v, i);
		buf_adds(sql, ")");
	}
	buf_addf(sql, " FROM ONLY %s AS t WHERE true", v->leaf->sql_name);
	sql_add_where(sql, v->leaf);
}

static void
add_labels(struct buf *sql, const struct sql_view *v, size_t column,
	const struct range *range)
{
	const struct leaf_column *c = &v->leaf->column[column];

	buf_adds(sql, "SELECT ");
	v->leaf->conf->policy.format->sql_label(sql, c->ref, c->carrier);
	buf_addf(sql, " AS label FROM ONLY %s AS t WHERE ", v->leaf->sql_name);
	if (range)
		add_range(sql, range);
	else
		buf_adds(sql, "true");
	sql_add_where(sql, v->leaf);
}

/* One TID range scan per range: with OR it would be a scan of the whole. */
void
sql_labels(struct buf *sql, const struct sql_view *v, size_t column,
	const struct range *range, size_t ranges)
{
	buf_adds(sql, "SELECT x.label, pg_catalog.count(*) FROM (");
	if (ranges == 0)
		add_labels(sql, v, column, NULL);
	for (size_t i = 0; i < ranges; i++) {
		buf_adds(sql, i ? " UNION ALL " : "");
		add_labels(sql, v, column, &range[i]);
	}
	buf_adds(sql, ") AS x GROUP BY 1");
}

bool
sql_overflow(struct buf *sql, const struct sql_view *v, size_t column)
{
	const struct leaf_column *c = &v->leaf->column[column];

	if (!c->max_chars || !v->current_key)
		return false;
	buf_adds(sql, "SELECT pg_catalog.count(*), coalesce(pg_catalog.max(n), "
		      "0) FROM (SELECT ");
	v->leaf->conf->policy.format->sql_new_length(sql, c->ref,
		v->current_key, v->leaf->conf->policy.raw == RAW_ENCRYPT);
	buf_addf(sql, " AS n FROM ONLY %s AS t WHERE NOT ", v->leaf->sql_name);
	add_current(sql, v, column);
	sql_add_where(sql, v->leaf);
	buf_addf(sql, ") AS x WHERE n > %d", c->max_chars);
	return true;
}
