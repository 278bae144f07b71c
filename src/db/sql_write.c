/*
 * The statement that writes a batch, compares, and records its progress.
 */
#include "quote.h"
#include "sql_int.h"
#include <stdio.h>

/* A stored value as it was read. */
static void
add_text(struct buf *sql, const struct leaf *leaf, size_t i)
{
	const struct leaf_column *c = &leaf->column[i];

	leaf->conf->policy.format->sql_text(sql, c->ref, c->carrier);
}

/* (t.c is byte for byte what was read), under a name of the batch: the text is
 * that of the same expression, and hashed as it was sent. The column's own
 * operators would call different values equal. */
static void
add_compare(
	struct buf *sql, const struct sql_write *w, size_t i, const char *batch)
{
	buf_addf(sql, " AND (%s.n%zu IS NULL OR ", batch, i);
	if (w->digests) {
		buf_addf(sql,
			"CASE WHEN pg_catalog.starts_with(%s.o%zu, 'sha256:')"
			" THEN 'sha256:' || pg_catalog.encode("
			"pg_catalog.sha256(pg_catalog.textsend(",
			batch, i);
		add_text(sql, w->leaf, i);
		buf_adds(sql, ")), 'hex') ELSE ");
		add_text(sql, w->leaf, i);
		buf_adds(sql, " END");
	} else {
		add_text(sql, w->leaf, i);
	}
	buf_addf(sql, " COLLATE \"C\" = %s.o%zu) IS TRUE", batch, i);
}

static void
add_compares(struct buf *sql, const struct sql_write *w, const char *batch)
{
	for (size_t i = 0; i < w->leaf->conf->columns; i++)
		add_compare(sql, w, i, batch);
}

/* Parameters of each column. */
static size_t
arrays(const struct sql_write *w)
{
	return w->marked ? 3 : 2;
}

/* The first parameter of the checkpoint: those of sql_int.h follow. */
static size_t
checkpoint_args(const struct sql_write *w)
{
	return arrays(w) * w->leaf->conf->columns + 4;
}

/* A parameter whose value the planner does not see: all batches of a leaf get
 * the same plan, and the server makes it once. */
static void
add_unseen(struct buf *sql, size_t p, const char *type)
{
	buf_addf(sql, "(SELECT $%zu::%s)", p, type);
}

/* The columns of the batch, as they are called in every part of it. */
static void
add_names(struct buf *sql, const struct sql_write *w, const char *dot)
{
	for (size_t i = 0; i < w->leaf->conf->columns; i++) {
		buf_addf(sql, ", %so%zu, %sn%zu", dot, i, dot, i);
		if (w->marked)
			buf_addf(sql, ", %sm%zu", dot, i);
	}
}

static void
add_array(struct buf *sql, size_t p, const char *type)
{
	buf_adds(sql, "pg_catalog.unnest(");
	add_unseen(sql, p, type);
	buf_addc(sql, ')');
}

/* The arrays side by side. */
static void
add_rows(struct buf *sql, const struct sql_write *w)
{
	size_t p = 4;

	buf_adds(sql, "ROWS FROM (");
	add_array(sql, 1, "tid[]");
	for (size_t i = 0; i < w->leaf->conf->columns; i++, p += arrays(w)) {
		buf_adds(sql, ", ");
		add_array(sql, p, "text[]");
		buf_adds(sql, ", ");
		add_array(sql, p + 1, "text[]");
		if (w->marked) {
			buf_adds(sql, ", ");
			add_array(sql, p + 2, "int8[]");
		}
	}
	buf_adds(sql, ") WITH ORDINALITY AS p(tid");
	add_names(sql, w, "");
	buf_adds(sql, ", i)");
}

/* The batch, row by row, with values as the columns have them: json and jsonb
 * have no assignment cast from text. Never a cast to varchar(n): that would cut
 * silently. OFFSET 0 keeps the server from making a value once for SET and once
 * more for RETURNING. */
static void
add_batch(struct buf *sql, const struct sql_write *w, const char *name)
{
	const struct leaf *leaf = w->leaf;
	char fresh[32];

	buf_adds(sql, "(SELECT p.tid, p.i");
	for (size_t i = 0; i < leaf->conf->columns; i++) {
		buf_addf(sql, ", p.o%zu, ", i);
		snprintf(fresh, sizeof(fresh), "p.n%zu", i);
		leaf->conf->policy.format->sql_new(
			sql, fresh, leaf->column[i].carrier);
		buf_addf(sql, " AS n%zu", i);
		if (w->marked)
			buf_addf(sql, ", p.m%zu", i);
	}
	buf_adds(sql, " FROM ");
	add_rows(sql, w);
	buf_addf(sql, " OFFSET 0) AS %s", name);
}

static void
add_window(struct buf *sql)
{
	buf_adds(sql, "t.ctid >= ");
	add_unseen(sql, 2, "tid");
	buf_adds(sql, " AND t.ctid < ");
	add_unseen(sql, 3, "tid");
}

/* The batch joined with its window. tidlarger() gives ctid back, and hides
 * from the planner that a row could be fetched by it: a TID scan for each row
 * is slow and prunes no page. So nothing is left but to scan the window once,
 * and to hash the batch, which is estimated at ten rows. */
static void
add_join(struct buf *sql, const struct sql_write *w, const char *batch)
{
	buf_addf(sql,
		"pg_catalog.tidlarger(t.ctid, '(0,0)'::tid) = %s.tid AND ",
		batch);
	add_window(sql);
	add_compares(sql, w, batch);
}

/* Locks what can be locked at once; the rest of the statement sees no more. */
static void
add_lock(struct buf *sql, const struct sql_write *w)
{
	buf_adds(sql, "l AS MATERIALIZED (SELECT t.ctid AS tid, n.i");
	add_names(sql, w, "n.");
	buf_adds(sql, " FROM ");
	add_batch(sql, w, "n");
	buf_addf(sql, ", ONLY %s AS t WHERE ", w->leaf->sql_name);
	add_join(sql, w, "n");
	buf_addf(sql, " FOR %s OF t SKIP LOCKED), ",
		w->leaf->lock_for_update ? "UPDATE" : "NO KEY UPDATE");
}

/* Unchanged columns as coalesce(new, old): a TOASTed value that is sent back
 * would be stored again. */
static void
add_set(struct buf *sql, const struct leaf *leaf)
{
	for (size_t i = 0; i < leaf->conf->columns; i++) {
		buf_adds(sql, i ? ", " : " SET ");
		quote_ident(sql, leaf->column[i].name);
		buf_addf(
			sql, " = coalesce(s.n%zu, %s)", i, leaf->column[i].ref);
	}
}

/* What is stored is what was sent: a BEFORE trigger may have changed it. An
 * envelope is one member that is a string, and such jsonb are equal only if
 * each byte is. */
static void
add_returning(struct buf *sql, const struct sql_write *w)
{
	const struct leaf *leaf = w->leaf;

	buf_adds(sql, " RETURNING s.i, (true");
	for (size_t i = 0; i < leaf->conf->columns; i++) {
		const struct leaf_column *c = &leaf->column[i];

		if (c->carrier == CARRIER_JSONB)
			buf_addf(sql,
				" AND (s.n%zu IS NULL OR %s = s.n%zu) IS TRUE",
				i, c->ref, i);
		else
			buf_addf(sql,
				" AND (s.n%zu IS NULL OR %s::text COLLATE"
				" \"C\" = s.n%zu::text) IS TRUE",
				i, c->ref, i);
	}
	buf_adds(sql, ") AS same");
	for (size_t i = 0; i < leaf->conf->columns; i++) {
		buf_addf(sql, ", s.n%zu IS NOT NULL AS w%zu", i, i);
		if (w->marked)
			buf_addf(sql, ", s.m%zu", i);
	}
}

/* c.counter plus the rows of the batch that count, per column. */
static void
add_counter(struct buf *sql, const struct sql_write *w, const char *counter,
	const char *test, unsigned mark)
{
	buf_addf(sql, ", %s = ARRAY[", counter);
	for (size_t i = 0; i < w->leaf->conf->columns; i++) {
		buf_addf(sql,
			"%sc.%s[%zu] + (SELECT pg_catalog.count(*) FROM u "
			"WHERE ",
			i ? ", " : "", counter, i + 1);
		if (mark)
			buf_addf(sql, "%s%zu & %u::int8 <> 0)", test, i, mark);
		else
			buf_addf(sql, "%s%zu)", test, i);
	}
	buf_addc(sql, ']');
}

/* Advances the chunk under its epoch: no row if somebody else has it now. */
static void
add_checkpoint(struct buf *sql, const struct sql_write *w)
{
	size_t p = checkpoint_args(w);

	buf_addf(sql,
		", k AS (UPDATE %s.chunk AS c SET pos = greatest(c.pos, $%zu)",
		w->state_schema, p);
	add_counter(sql, w, "rewritten", "w", 0);
	if (w->marked) {
		add_counter(sql, w, "nested", "m", MARK_NESTED);
		add_counter(sql, w, "mislabelled", "m", MARK_MISLABELLED);
		add_counter(sql, w, "late", "m", MARK_LATE);
	}
	buf_addf(sql,
		", lease_until = pg_catalog.clock_timestamp() +"
		" pg_catalog.make_interval(secs => $%zu)"
		" WHERE c.run_id = $%zu AND c.leaf = $%zu AND c.no = $%zu"
		" AND c.epoch = $%zu RETURNING 1)",
		p + 5, p + 1, p + 2, p + 3, p + 4);
}

void
sql_write(struct buf *sql, const struct sql_write *w)
{
	buf_adds(sql, "WITH ");
	if (w->skip_locked)
		add_lock(sql, w);
	buf_addf(sql, "u AS (UPDATE ONLY %s AS t", w->leaf->sql_name);
	add_set(sql, w->leaf);
	buf_adds(sql, " FROM ");
	if (w->skip_locked) { /* l has read and pruned the window */
		buf_adds(sql, "l AS s WHERE t.ctid = s.tid AND ");
		add_window(sql);
		add_compares(sql, w, "s");
	} else {
		add_batch(sql, w, "s");
		buf_adds(sql, " WHERE ");
		add_join(sql, w, "s");
	}
	add_returning(sql, w);
	buf_adds(sql, ")");
	if (w->state_schema)
		add_checkpoint(sql, w);
	/* A stale epoch divides by zero, a stored value that differs takes
	 * the root of a negative number: either way nothing is committed. */
	buf_addf(sql,
		" SELECT 1 / %s AS fence,"
		" pg_catalog.sqrt(- (pg_catalog.count(*)"
		" FILTER (WHERE same IS NOT TRUE))::float8) AS differs,"
		" CASE WHEN pg_catalog.count(*) ="
		" pg_catalog.cardinality($1::tid[])"
		" THEN NULL ELSE coalesce(pg_catalog.array_agg(i), '{}') END"
		" AS took",
		w->state_schema ? "(SELECT pg_catalog.count(*)::int FROM k)"
				: "1");
	if (w->state_schema)
		buf_addf(sql,
			", (SELECT r.paused_at IS NOT NULL FROM %s.run AS r"
			" WHERE r.id = $%zu) AS paused",
			w->state_schema, checkpoint_args(w) + 1);
	buf_adds(sql, " FROM u");
}
