/*
 * Passes: when one is over, whether another is needed, who proves the end.
 *
 * All of it happens in one short transaction under the lock of the run's row,
 * by whichever worker first finds no chunk to claim.
 */
#include "state_int.h"
#include <stdio.h>

#define CHUNK_BYTES_MIN 524288

/* Between two passes of a leaf. */
#define PAUSE_SECONDS 30
#define LONGEST_PAUSE AS_TEXT(PAUSE_SECONDS)
#define PAUSE_HOLDS HOLDS("l.not_before", PAUSE_SECONDS)

int
state_settle(struct state *s, uint32_t leaf, struct err *err)
{
	struct pg_args args = {0};

	pg_arg_int(&args, s->run);
	pg_arg_int(&args, leaf);
	return state_exec(s,
		"UPDATE @.leaf SET state = 'settled' WHERE run_id = $1"
		" AND leaf = $2 AND state = 'dirty' AND pass = 0",
		&args, err);
}

/* Adds the sums of a pass to the leaf's own, element by element. */
#define ADD(column)                                                   \
	", " column                                                   \
	" = coalesce((SELECT pg_catalog.array_agg(x.a ORDER BY x.o)"  \
	" FROM (SELECT u.o, l." column                                \
	"[u.o] + pg_catalog.sum(u.v)::bigint AS a"                    \
	" FROM @.chunk AS c CROSS JOIN LATERAL"                       \
	" pg_catalog.unnest(c." column ") WITH ORDINALITY AS u(v, o)" \
	" WHERE c.run_id = l.run_id AND c.leaf = l.leaf"              \
	" GROUP BY u.o) AS x), l." column ")"

/* Closes the pass of every walked leaf whose chunks are all done. A table that
 * was rewritten meanwhile (VACUUM FULL, CLUSTER) makes the pass void. */
#define FOLD_OVER                                                            \
	"WITH over AS (SELECT l.leaf,"                                       \
	" coalesce(pg_catalog.sum(c.rows_left), 0)::bigint AS rows_left,"    \
	" coalesce(pg_catalog.sum(c.rows_locked), 0)::bigint AS locked,"     \
	" coalesce(pg_catalog.sum(c.rows_refused), 0)::bigint AS refused,"   \
	" coalesce(pg_catalog.sum((SELECT pg_catalog.sum(v) FROM "           \
	"pg_catalog.unnest(c.rewritten)"                                     \
	"  AS v)), 0)::bigint AS wrote"                                      \
	" FROM @.leaf AS l LEFT JOIN @.chunk AS c USING (run_id, leaf)"      \
	" WHERE l.run_id = $1 AND l.leaf = ANY ($2) AND l.state = 'walking'" \
	" GROUP BY l.leaf HAVING pg_catalog.count(*) FILTER (WHERE c.state " \
	"<> 'done')"                                                         \
	" = 0), "
#define FOLD_SUMS          \
	ADD("rewritten")   \
	ADD("nested")      \
	ADD("mislabelled") \
	ADD("late") ADD("moved") ADD("conflict") ADD("deferred")
/* A pass that wrote nothing and left rows is followed by a pause, longer each
 * time; rows that are only locked do not use up the passes. */
#define FOLD_NEXT                                                             \
	"pass_rewritten = o.wrote, pass_refused = o.refused,"                 \
	" passes_wrote = l.passes_wrote + (o.wrote > 0)::int,"                \
	" fruitless = CASE WHEN o.wrote > 0 THEN 0 ELSE l.fruitless + 1 END," \
	" not_before = CASE WHEN o.wrote = 0 AND o.rows_left > 0 THEN"        \
	"  pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs =>"   \
	"  least(" LONGEST_PAUSE ", 0.25::float8 * pg_catalog.power(2,"       \
	"  least(l.fruitless, 10)))) END,"                                    \
	" stuck_since = CASE WHEN o.wrote = 0 AND o.rows_left > 0 THEN"       \
	"  coalesce(l.stuck_since, pg_catalog.clock_timestamp()) END,"        \
	" state = CASE"                                                       \
	" WHEN pg_catalog.pg_relation_filenode(l.leaf::oid) IS NULL"          \
	"  THEN 'gone'"                                                       \
	" WHEN pg_catalog.pg_relation_filenode(l.leaf::oid)::bigint"          \
	"  <> l.filenode THEN 'dirty'"                                        \
	" WHEN o.rows_left = 0 THEN 'settled'"                                \
	" WHEN l.passes_wrote + (o.wrote > 0)::int >= $3 THEN 'exhausted'"    \
	" WHEN l.fruitless >= $3 AND o.locked < o.rows_left THEN 'exhausted'" \
	" ELSE 'dirty' END"

static const char fold_sql[] =
	FOLD_OVER "done AS (UPDATE @.leaf AS l SET " FOLD_NEXT FOLD_SUMS
		  " FROM over AS o WHERE l.run_id = $1 AND l.leaf = o.leaf) "
		  "DELETE FROM @.chunk AS c USING over AS o WHERE"
		  " c.run_id = $1 AND c.leaf = o.leaf";

/* Plans the next pass of every dirty leaf whose pause is over. Sizes are taken
 * now: blocks added later belong to the pass after it. Epochs go on from pass
 * to pass: who slept over the end of one holds nothing of the next. */
static const char plan_sql[] =
	"WITH begun AS (UPDATE @.leaf AS l SET state = 'walking',"
	" pass = pass + 1,"
	" filenode = pg_catalog.pg_relation_filenode(l.leaf::oid)::bigint,"
	" blocks = coalesce(pg_catalog.pg_relation_size(l.leaf::oid), 0)"
	"  / $3"
	" WHERE l.run_id = $1 AND l.leaf = ANY ($2) AND l.state = 'dirty'"
	" AND NOT l.leaf = ANY (" LOCKED_TABLES ")"
	" AND (l.not_before IS NULL OR NOT " PAUSE_HOLDS ")"
	" RETURNING l.leaf, l.pass, l.blocks, greatest("
	"  coalesce(pg_catalog.pg_table_size(l.leaf::oid), 0), 1) AS bytes,"
	"  pg_catalog.array_fill(0::bigint, ARRAY["
	"   pg_catalog.cardinality(l.rewritten)]) AS zero), "
	/* Small tables are cut so that every worker gets two chunks: more would
	 * make batches so short that a worker which waits for a core holds up
	 * the pruning of all the others. What is stored outside of the pages
	 * counts: of large values, few pages are much work. */
	"wanted AS (SELECT b.*, greatest(least("
	"  greatest((b.blocks + $5 * 2 - 1) / ($5 * 2),"
	"  $6 * b.blocks / b.bytes), $4 * b.blocks / b.bytes), 1) AS few"
	"  FROM begun AS b), "
	/* Of eight pages and more to a window, all of a group are alike. */
	"cut AS (SELECT w.*, CASE WHEN few < 8 * $7 THEN few"
	"  ELSE (few + $7 - 1) / $7 * $7 END AS size FROM wanted AS w) "
	"INSERT INTO @.chunk (run_id, leaf, no, lo, hi, pos, epoch,"
	" rewritten, nested, mislabelled, late, moved, conflict, deferred)"
	" SELECT $1, c.leaf, g, g * c.size,"
	" least((g + 1) * c.size, c.blocks), g * c.size,"
	" c.pass::bigint << 32, c.zero, c.zero,"
	" c.zero, c.zero, c.zero, c.zero, c.zero FROM cut AS c CROSS JOIN "
	"LATERAL "
	"pg_catalog.generate_series("
	" 0, (c.blocks + c.size - 1) / c.size - 1) AS g";

static const char look_sql[] =
	"WITH locked AS MATERIALIZED (SELECT " LOCKED_TABLES
	" AS leaf), open AS"
	" (SELECT c.leaf = ANY (k.leaf) AS locked FROM @.chunk AS c, locked AS"
	" k WHERE c.run_id = $1 AND c.leaf = ANY ($2) AND c.state <> 'done') "
	"SELECT (SELECT pg_catalog.count(*) FROM open WHERE NOT locked),"
	" pg_catalog.count(*) FILTER (WHERE l.state = 'walking'),"
	" pg_catalog.count(*) FILTER (WHERE l.state = 'dirty'),"
	" coalesce(pg_catalog.bool_or(l.state = 'dirty' AND l.stuck_since <"
	"  pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs =>"
	"  $3)), false),"
	" EXISTS (SELECT FROM open WHERE locked) OR coalesce("
	"  pg_catalog.bool_or(l.state = 'dirty' AND l.leaf = ANY (k.leaf)),"
	"  false)"
	" FROM @.leaf AS l, locked AS k WHERE l.run_id = $1 AND l.leaf = ANY "
	"($2)";

#define WAS_HEARD_OF \
	HOLDS("w.seen_at + pg_catalog.make_interval(secs => $3)", LEASE_SECONDS)

/* Only one worker proves; should it die, the next one does. So does one of
 * another process when nothing was heard of it for a while: its backend may
 * outlive a host that is frozen. */
static const char prove_sql[] =
	"UPDATE @.run AS r SET prover = $2 WHERE r.id = $1 AND (r.prover IS"
	" NULL OR r.prover = $2 OR NOT EXISTS (SELECT FROM @.worker AS w WHERE"
	" w.id = r.prover AND (" WAS_HEARD_OF " OR EXISTS (SELECT FROM"
	"  @.worker AS me WHERE me.id = $2 AND me.host = w.host"
	"  AND me.os_pid = w.os_pid)) AND " WORKER_ALIVE ")) RETURNING 1";

/* The table before the row: who proves writes to it at last, and whoever opens
 * a run meanwhile has locked it and waits for the leaves that are held here. */
#define LOCK_RUNS "LOCK TABLE @.run IN ROW EXCLUSIVE MODE"

static int
lock_run(bool *open, bool *paused, struct state *s, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;

	pg_arg_int(&args, s->run);
	if (state_exec(s, LOCK_RUNS, NULL, err) < 0 ||
		state_query(&r, s,
			"SELECT r.state = 'open', " PAUSED
			" FROM @.run AS r WHERE r.id = $1 FOR NO KEY UPDATE",
			&args, err) < 0)
		return -1;
	*open = pg_rows(r) > 0 && pg_bool(r, 0, 0);
	*paused = pg_rows(r) > 0 && pg_bool(r, 0, 1);
	pg_free(r);
	return 0;
}

static int
fold(struct state *s, struct buf *array, const struct pass_options *o,
	struct err *err)
{
	struct pg_args args = {0};

	pg_arg_int(&args, s->run);
	pg_arg_binary(&args, PG_INT8_ARRAY, buf_slice(array));
	pg_arg_int(&args, o->max_passes);
	return state_exec(s, fold_sql, &args, err);
}

/* Sizes are behind the lock of the table, and we have that of the run, for
 * which others wait, and pgrekey pause. Locked tables are left out; this is for
 * one that is locked at this moment. */
#define PLAN_SOON "SET LOCAL lock_timeout = '1s'"

static int
plan(struct state *s, struct buf *array, const struct pass_options *o,
	struct err *err)
{
	struct pg_args args = {0};

	pg_arg_int(&args, s->run);
	pg_arg_binary(&args, PG_INT8_ARRAY, buf_slice(array));
	pg_arg_int(&args, BLOCK_BYTES);
	pg_arg_int(&args, o->chunk_bytes);
	pg_arg_int(&args, o->workers);
	pg_arg_int(&args, CHUNK_BYTES_MIN);
	pg_arg_int(&args, o->rotation);
	return state_exec(s, PLAN_SOON, NULL, err) < 0
		       ? -1
		       : state_exec(s, plan_sql, &args, err);
}

static int
look(enum step *ret, struct state *s, struct buf *array,
	const struct pass_options *o, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;

	pg_arg_int(&args, s->run);
	pg_arg_binary(&args, PG_INT8_ARRAY, buf_slice(array));
	pg_arg_int(&args, o->finish_wait_s);
	if (state_query(&r, s, look_sql, &args, err) < 0)
		return -1;
	if (pg_int(r, 0, 0) > 0)
		*ret = STEP_WAIT; /* somebody else's chunks */
	else if (pg_bool(r, 0, 4))
		*ret = STEP_LOCKED;
	else if (pg_int(r, 0, 1) > 0)
		*ret = STEP_CLAIM; /* empty leaves: close them next time */
	else if (pg_bool(r, 0, 3))
		*ret = STEP_STUCK;
	else if (pg_int(r, 0, 2) > 0)
		*ret = STEP_WAIT;
	else
		*ret = STEP_PROVE;
	pg_free(r);
	return 0;
}

static int
become_prover(enum step *ret, struct state *s, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;

	pg_arg_int(&args, s->run);
	pg_arg_int(&args, s->worker);
	pg_arg_int(&args, LEASE_SECONDS);
	if (state_query(&r, s, prove_sql, &args, err) < 0)
		return -1;
	if (pg_rows(r) == 0)
		*ret = STEP_WAIT;
	pg_free(r);
	return 0;
}

static int
count_todo(int64_t *ret, struct state *s, struct buf *array, struct err *err)
{
	struct pg_args args = {0};

	pg_arg_int(&args, s->run);
	pg_arg_binary(&args, PG_INT8_ARRAY, buf_slice(array));
	return state_query_int(ret, s,
		"SELECT pg_catalog.count(*) FROM @.chunk WHERE"
		" run_id = $1 AND"
		" leaf = ANY ($2) AND NOT leaf = ANY (" LOCKED_TABLES ")"
		" AND state = 'todo'",
		&args, err);
}

int
state_next(enum step *ret, struct state *s, const struct selection *sel,
	const struct pass_options *o, struct err *err)
{
	struct pg_args unused = {0};
	struct buf array;
	int64_t todo = 0;
	bool open, paused;
	int rc = -1;

	state_arg_selection(&unused, &array, sel);
	if (pg_begin(s->pg, PG_WRITE, NULL, err) < 0 ||
		lock_run(&open, &paused, s, err) < 0)
		goto out;
	if (!open) {
		*ret = STEP_FINISHED;
	} else if (paused) {
		*ret = STEP_PAUSED;
	} else {
		if (fold(s, &array, o, err) < 0 ||
			plan(s, &array, o, err) < 0 ||
			count_todo(&todo, s, &array, err) < 0)
			goto out;
		*ret = STEP_CLAIM;
		if (todo == 0 && look(ret, s, &array, o, err) < 0)
			goto out;
		if (*ret == STEP_PROVE && become_prover(ret, s, err) < 0)
			goto out;
	}
	rc = state_exec(s, "COMMIT", NULL, err);
out:
	if (rc < 0)
		pg_rollback(s->pg);
	buf_done(&array);
	return rc;
}

int
state_reopen(bool *again, struct state *s, uint32_t leaf, int64_t rows,
	const struct pass_options *o, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;

	pg_arg_int(&args, s->run);
	pg_arg_int(&args, leaf);
	pg_arg_int(&args, rows);
	pg_arg_int(&args, o->max_passes);
	if (state_query(&r, s,
		    "UPDATE @.leaf SET state = 'dirty' WHERE run_id = $1 AND"
		    " leaf = $2 AND state <> 'exhausted'"
		    " AND passes_wrote < $4 AND fruitless < $4 AND NOT"
		    " (pass > 0 AND pass_rewritten = 0 AND $3 <= pass_refused)"
		    " RETURNING 1",
		    &args, err) < 0)
		return -1;
	*again = pg_rows(r) > 0;
	pg_free(r);
	return 0;
}

int
state_prove_on(struct state *s, int64_t worker, struct err *err)
{
	struct pg_args args = {0};

	pg_arg_int(&args, s->run);
	pg_arg_int(&args, worker);
	return state_exec(
		s, "WITH " SIGN_OF_LIFE " SELECT $1::bigint", &args, err);
}

int
state_prove_conclude(struct state *s, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;
	bool ours;

	pg_arg_int(&args, s->run);
	pg_arg_int(&args, s->worker);
	if (pg_begin(s->pg, PG_WRITE, NULL, err) < 0 ||
		state_query(&r, s,
			"UPDATE @.run SET prover = NULL WHERE id = $1"
			" AND prover = $2 AND state = 'open' RETURNING 1",
			&args, err) < 0)
		return -1;
	ours = pg_rows(r) > 0;
	pg_free(r);
	if (ours)
		return 0;
	pg_rollback(s->pg);
	return state_fenced("another worker proves now", err);
}

int
state_prove_end(struct state *s, struct err *err)
{
	struct pg_args args = {0};

	pg_arg_int(&args, s->run);
	pg_arg_int(&args, s->worker);
	return state_exec(s,
		"UPDATE @.run SET prover = NULL WHERE id = $1 AND prover = $2",
		&args, err);
}

int
state_is_waiting(bool *ret, struct state *s, struct err *err)
{
	struct pg_args args = {0};
	struct pg_result *r;

	pg_arg_int(&args, s->run);
	if (state_query(&r, s,
		    "SELECT EXISTS (SELECT FROM @.leaf WHERE run_id = $1 AND"
		    " stuck_since IS NOT NULL)",
		    &args, err) < 0)
		return -1;
	*ret = pg_bool(r, 0, 0);
	pg_free(r);
	return 0;
}
