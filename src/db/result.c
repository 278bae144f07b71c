/*
 * What a run leaves behind: findings, numbers, its end. And, while it goes on,
 * how far it is.
 */
#include "state_int.h"
#include <stdio.h>
#include <stdlib.h>

int
state_find(struct state *s, const struct finding *f, struct err *err)
{
	struct pg_args args = {0};

	pg_arg_int(&args, s->run);
	pg_arg_int(&args, f->leaf);
	pg_arg_text(&args, f->column);
	pg_arg_text(&args, f->row);
	pg_arg_text(&args, f->table);
	pg_arg_text(&args, f->verdict);
	pg_arg_text(&args, f->reason);
	pg_arg_bool(&args, f->by_pass);
	return state_exec(s,
		"INSERT INTO @.finding (run_id, leaf, column_name, row_id,"
		" table_name, verdict, reason, by_pass) VALUES ($1, $2, $3, $4,"
		" $5, $6, $7, $8) ON CONFLICT (run_id, leaf, column_name,"
		" row_id) DO UPDATE SET verdict = excluded.verdict,"
		" reason = excluded.reason, by_pass = excluded.by_pass",
		&args, err);
}

/* -- the end --------------------------------------------------------------- */

static int
put_number(struct state *s, const struct number *n, struct err *err)
{
	struct pg_args args = {0};

	pg_arg_int(&args, s->run);
	pg_arg_int(&args, n->leaf);
	pg_arg_text(&args, n->column);
	pg_arg_text(&args, n->kind);
	pg_arg_text(&args, n->name);
	pg_arg_int(&args, n->value);
	return state_exec(s,
		"INSERT INTO @.number VALUES ($1, $2, $3, $4, $5, $6)", &args,
		err);
}

static int
put_numbers(struct state *s, const struct selection *sel,
	const struct number *number, size_t count, struct err *err)
{
	struct pg_args args = {0};
	struct buf array;
	int rc;

	pg_arg_int(&args, s->run);
	state_arg_selection(&args, &array, sel);
	rc = state_exec(s,
		"DELETE FROM @.number WHERE run_id = $1 AND leaf = ANY ($2)",
		&args, err);
	buf_done(&array);
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = put_number(s, &number[i], err);
	return rc;
}

static int
close_run(struct state *s, int exit, struct err *err)
{
	struct pg_args args = {0};

	pg_arg_int(&args, s->run);
	pg_arg_int(&args, exit);
	pg_arg_text(&args, exit == ERR_NONE ? "complete" : "findings");
	return state_exec(s,
		"UPDATE @.run SET state = $3, exit_status = $2, prover = NULL,"
		" finished_at = pg_catalog.clock_timestamp()"
		" WHERE id = $1 AND state = 'open'",
		&args, err);
}

int
state_finish(struct state *s, const struct selection *sel,
	const struct number *number, size_t count, int exit, struct err *err)
{
	/* Nobody may retire a key over commits that are only in memory:
	 * whatever the session says, this one is flushed, and the ones before
	 * it with it. */
	if (state_exec(s, "SET LOCAL synchronous_commit = on", NULL, err) < 0 ||
		put_numbers(s, sel, number, count, err) < 0 ||
		(exit >= 0 && close_run(s, exit, err) < 0))
		return -1;
	return state_exec(s, "COMMIT", NULL, err);
}

#define COUNTERS \
	"rewritten, nested, mislabelled, late, moved, conflict, deferred"

/* -- reading it again ------------------------------------------------------ */

int
state_numbers(struct state *s, number_fn fn, void *ctx, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;

	pg_arg_int(&args, s->run);
	if (state_query(&r, s,
		    "SELECT leaf, column_name, kind, name, value FROM @.number"
		    " WHERE run_id = $1 UNION ALL"
		    " SELECT l.leaf, u.i::text, 'pass', x.k, x.v FROM"
		    " (SELECT leaf, " COUNTERS " FROM @.leaf WHERE run_id = $1"
		    " UNION ALL"
		    " SELECT leaf, " COUNTERS " FROM @.chunk WHERE run_id = $1"
		    ") AS l CROSS JOIN LATERAL ROWS FROM ("
		    "pg_catalog.unnest(l.rewritten),"
		    " pg_catalog.unnest(l.nested),"
		    " pg_catalog.unnest(l.mislabelled),"
		    " pg_catalog.unnest(l.late),"
		    " pg_catalog.unnest(l.moved),"
		    " pg_catalog.unnest(l.conflict),"
		    " pg_catalog.unnest(l.deferred))"
		    " WITH ORDINALITY AS u(r, n, m, t, v, c, d, i)"
		    " CROSS JOIN LATERAL (VALUES ('rewritten', u.r),"
		    " ('nested', u.n), ('mislabelled', u.m), ('late', u.t),"
		    " ('moved', u.v), ('conflict', u.c), ('deferred', u.d)) AS "
		    "x(k, v)",
		    &args, err) < 0)
		return -1;
	for (int i = 0; i < pg_rows(r); i++) {
		struct number n = {
			.leaf = (uint32_t)pg_int(r, i, 0),
			.column = pg_text(r, i, 1),
			.kind = pg_text(r, i, 2),
			.name = pg_text(r, i, 3),
			.value = pg_int(r, i, 4),
		};

		fn(ctx, &n);
	}
	pg_free(r);
	return 0;
}

int
state_findings(
	struct state *s, int64_t max, finding_fn fn, void *ctx, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;

	pg_arg_int(&args, s->run);
	pg_arg_int(&args, max);
	if (state_query(&r, s,
		    "SELECT leaf, table_name, column_name, row_id, verdict,"
		    " reason, by_pass FROM @.finding WHERE run_id = $1 ORDER"
		    " BY leaf, column_name, pg_catalog.length(row_id), row_id"
		    " LIMIT $2",
		    &args, err) < 0)
		return -1;
	for (int i = 0; i < pg_rows(r); i++) {
		struct finding f = {
			.leaf = (uint32_t)pg_int(r, i, 0),
			.table = pg_text(r, i, 1),
			.column = pg_text(r, i, 2),
			.row = pg_text(r, i, 3),
			.verdict = pg_text(r, i, 4),
			.reason = pg_text(r, i, 5),
			.by_pass = pg_bool(r, i, 6),
		};

		fn(ctx, &f);
	}
	pg_free(r);
	return 0;
}

int
state_forget(struct state *s, const struct selection *sel, bool refused_too,
	struct err *err)
{
	struct pg_args args = {0};
	struct buf array;
	int rc;

	pg_arg_int(&args, s->run);
	state_arg_selection(&args, &array, sel);
	pg_arg_bool(&args, refused_too);
	rc = state_exec(s,
		"DELETE FROM @.finding WHERE run_id = $1 AND leaf = ANY ($2)"
		" AND (NOT by_pass OR $3 AND verdict <> 'current')",
		&args, err);
	buf_done(&array);
	return rc;
}

int
state_hidden(int64_t *ret, struct state *s, const struct selection *sel,
	struct err *err)
{
	struct pg_args args = {0};
	struct buf array;
	int rc;

	pg_arg_int(&args, s->run);
	state_arg_selection(&args, &array, sel);
	rc = state_query_int(ret, s,
		"SELECT pg_catalog.count(*) FROM @.finding WHERE run_id = $1"
		" AND leaf = ANY ($2) AND by_pass AND verdict = 'current'",
		&args, err);
	buf_done(&array);
	return rc;
}

int
state_run_end(struct run_end *ret, struct state *s, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;

	*ret = (struct run_end){.exit = -1};
	pg_arg_int(&args, s->run);
	if (state_query(&r, s,
		    "SELECT state, coalesce(exit_status, -1) FROM @.run"
		    " WHERE id = $1",
		    &args, err) < 0)
		return -1;
	if (pg_rows(r) > 0) {
		snprintf(
			ret->state, sizeof(ret->state), "%s", pg_text(r, 0, 0));
		ret->exit = (int)pg_int(r, 0, 1);
	}
	pg_free(r);
	return 0;
}

/* -- progress -------------------------------------------------------------- */

static const char progress_sql[] =
	"SELECT r.state, coalesce(l.pass, 0), coalesce(l.blocks, 0),"
	" coalesce(l.blocks, 0) - coalesce(c.open, 0),"
	" coalesce(l.wrote, 0) + coalesce(c.wrote, 0), coalesce(c.name, ''),"
	" " PAUSED_WHY ", coalesce((SELECT w.host || ', process '"
	"  || w.os_pid::text FROM @.worker AS w WHERE w.id = r.prover), '')"
	" FROM @.run AS r CROSS JOIN LATERAL"
	" (SELECT pg_catalog.max(pass) AS pass,"
	"  pg_catalog.sum(blocks) FILTER (WHERE state = 'walking')::bigint AS "
	"blocks,"
	"  pg_catalog.sum((SELECT pg_catalog.sum(v) FROM "
	"pg_catalog.unnest(rewritten) AS v))::bigint"
	"  AS wrote FROM @.leaf WHERE run_id = r.id) AS l CROSS JOIN LATERAL"
	" (SELECT pg_catalog.sum(k.hi - k.pos) FILTER (WHERE k.state <> "
	"'done')::bigint"
	"  AS open,"
	"  pg_catalog.sum((SELECT pg_catalog.sum(v) FROM "
	"pg_catalog.unnest(k.rewritten) AS v))"
	"  ::bigint AS wrote,"
	"  pg_catalog.min(n.name) FILTER (WHERE k.state = 'running') AS name"
	"  FROM @.chunk AS k JOIN @.leaf AS n USING (run_id, leaf)"
	"  WHERE k.run_id = r.id) AS c WHERE r.id = $1";

int
state_progress(struct progress *ret, struct state *s, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;

	*ret = (struct progress){0};
	pg_arg_int(&args, s->run);
	if (state_query(&r, s, progress_sql, &args, err) < 0)
		return -1;
	if (pg_rows(r) > 0) {
		snprintf(
			ret->state, sizeof(ret->state), "%s", pg_text(r, 0, 0));
		ret->pass = pg_int(r, 0, 1);
		ret->blocks = pg_int(r, 0, 2);
		ret->done = pg_int(r, 0, 3);
		ret->values = pg_int(r, 0, 4);
		snprintf(
			ret->table, sizeof(ret->table), "%s", pg_text(r, 0, 5));
		snprintf(ret->paused, sizeof(ret->paused), "%s",
			pg_text(r, 0, 6));
		snprintf(ret->prover, sizeof(ret->prover), "%s",
			pg_text(r, 0, 7));
	}
	pg_free(r);
	return 0;
}
